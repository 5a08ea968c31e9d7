import { describe, expect, it } from 'vitest';
import { admit } from '../admission.ts';
import { apply, type Env, type Run, type Transition } from '../apply.ts';
import { compileDefinition } from '../definition/compile.ts';
import { canPark, dueAt } from '../due.ts';
import type { ChildEndedEvent, Event } from '../event.ts';
import type { UndoTarget } from '../state.ts';
import { begin } from '../start.ts';
import { currentNodes, summarize } from '../summary.ts';
import { quarantined } from '../transition/control.ts';
import type { JsonObject } from '../value/json.ts';

let minted = 0;
const env: Env = {
  now: 1_000,
  advance: true,
  random: () => 0.5,
  nonce: () => 'n',
  executionId: () => `child-${String(++minted)}`,
  callbackKey: () => undefined,
  variable: () => undefined,
  limits: {
    maxNodeVisits: 100,
    maxNodeVisitsCap: 100,
    hookMaxMillis: 0,
    hookDeliverMillis: 0,
    maxRetryAfterMillis: 0,
    maxAdvances: 100,
    maxTurnSteps: 10_000,
    maxTurnBytes: 10_000,
  },
};

const sub = (more: JsonObject = {}): JsonObject => ({
  kind: 'workflow',
  id: 'sub',
  definition: { name: 'other', version: '1' },
  ...more,
});
const nap = { kind: 'sleep', id: 'nap', durationMillis: 60_000 };

/** An execution to which events are applied one by one. */
class Machine {
  run: Run;
  last: Transition;
  now = 1_000;

  constructor(nodes: readonly JsonObject[], header: Partial<Run['header']> = {}) {
    minted = 0;
    const entrypoint = nodes[0]!['id']!;
    const compiled = compileDefinition({ name: 'n', version: '1', entrypoint, nodes }, { hash: 'hash' });
    if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
    const whole = { id: 'e1', name: 'n', version: '1', payload: {}, labels: {}, ...header };
    this.last = begin(compiled.plan, whole, env);
    this.run = { plan: compiled.plan, header: whole, state: this.last.state, outputs: this.last.outputs };
  }

  apply(event: Event): this {
    this.last = apply(this.run, event, { ...env, now: this.now });
    this.run = { ...this.run, state: this.last.state, outputs: this.last.outputs };
    return this;
  }

  /** The child of the only token that has one is stored. */
  started(childId = 'child-1'): this {
    return this.apply({ type: 'childStarted', childId, version: '1', definitionHash: 'h', fingerprint: 'f' });
  }

  ended(status: ChildEndedEvent['status'], more: Partial<ChildEndedEvent> = {}): this {
    const childId = 'child-1';
    return this.apply({ type: 'childEnded', childId, end: 1, status, visits: 3, standing: false, ...more });
  }

  /** Answers the search for the next compensation with this visit. */
  found(target?: Partial<UndoTarget>): this {
    const tokenId = this.run.state.tokens[0]!.id;
    if (target === undefined) return this.apply({ type: 'undoFound', tokenId });
    const row = { nodeId: 'sub', visit: 1, round: 1, ord: 2, scope: '', outcome: 'succeeded', key: 'k' } as const;
    return this.apply({ type: 'undoFound', tokenId, target: { ...row, child: 'child-1', ...target } });
  }

  get rows(): string[] {
    return this.last.steps.map(({ phase, nodeId, outcome }) => `${phase}:${nodeId}:${outcome}`);
  }

  get commands(): string[] {
    return this.last.commands.map(({ type }) => type);
  }

  get status(): string {
    return summarize(this.run.state).status;
  }
}

describe('a visit of a workflow node', () => {
  it('has its id before the child is stored, and issues the command again for a new owner', () => {
    const machine = new Machine([sub()]);
    expect(machine.last.commands).toEqual([{ type: 'startChild', tokenId: 1, childId: 'child-1' }]);
    expect(machine.status).toBe('IN_PROGRESS');
    expect(canPark(machine.run.state)).toBe(false);
    machine.apply({ type: 'resumed' });
    expect(machine.last.commands).toEqual([{ type: 'startChild', tokenId: 1, childId: 'child-1', again: true }]);
    machine.started().apply({ type: 'resumed' });
    expect(machine.commands).toEqual([]);
  });

  it('waits for the end without a due time', () => {
    const machine = new Machine([sub()]).started();
    expect(machine.rows).toEqual(['WORKFLOW:sub:succeeded']);
    expect(machine.status).toBe('WAITING_CALLBACK');
    expect(currentNodes(machine.run.plan, machine.run.state)).toMatchObject([
      { nodeId: 'sub', state: 'WAITING_CHILD', child: 'child-1' },
    ]);
    expect(canPark(machine.run.state)).toBe(true);
    expect(dueAt(machine.run.state)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each([
    ['SUCCEEDED', 'succeeded', 'SUCCEEDED', 2],
    ['FAILED', 'rejected', 'FAILED', undefined],
    ['CANCELLED', 'rejected', 'FAILED', undefined],
    ['CORRUPTED', 'unknown', 'COMPENSATING', 1],
    ['TERMINATED', 'unknown', 'COMPENSATING', 1],
  ] as const)('whose child ends %s is %s', (status, outcome, after, undoRank) => {
    const machine = new Machine([sub()]).started().ended(status, { result: { a: 1 } });
    const [row] = machine.last.steps;
    expect(row).toMatchObject({ phase: 'WORKFLOW', outcome, final: true, child: 'child-1', fingerprint: 'f' });
    expect(row!.undoRank).toBe(undoRank);
    expect(row!.effect).toBe({ succeeded: 'succeeded', rejected: undefined, unknown: 'unknown' }[outcome]);
    expect(row!.output?.child).toEqual({ id: 'child-1', status });
    expect(row!.output?.response).toEqual(
      status === 'SUCCEEDED' ? { status: null, headers: {}, body: { a: 1 } } : undefined,
    );
    if (after === 'FAILED') machine.found();
    expect(machine.status).toBe(after);
    expect(machine.run.state.childVisits).toBe(3);
  });

  it('takes the end that comes before the answer of the start', () => {
    const machine = new Machine([sub()]).ended('SUCCEEDED');
    expect(machine.rows).toEqual(['WORKFLOW:sub:succeeded', 'WORKFLOW:sub:succeeded']);
    expect(machine.status).toBe('SUCCEEDED');
    expect(machine.started().last.steps).toEqual([]);
  });

  it('whose rejected child has standing effects lists it as unknown', () => {
    const machine = new Machine([sub()])
      .started()
      .ended('FAILED', { standing: true, reason: 'status_4xx', statusCode: 409 });
    expect(machine.last.steps[0]).toMatchObject({ effect: 'unknown', outcome: 'rejected', statusCode: 409 });
    expect(machine.last.steps[0]!.undo).toBeUndefined();
    expect(machine.last.steps[0]!.output?.failure).toEqual({
      outcome: 'rejected',
      reason: 'status_4xx',
      statusCode: 409,
    });
    expect(machine.run.state.verdict).toMatchObject({ reason: 'child', nodeId: 'sub', statusCode: 409 });
  });

  it('is unsent when the child is refused, and takes its route', () => {
    const machine = new Machine([sub({ onFailure: 'nap' }), nap]);
    machine.apply({ type: 'childRefused', childId: 'child-1', reason: 'No.' });
    expect(machine.last.steps[0]).toMatchObject({ outcome: 'unsent', note: 'No.', final: true });
    expect(machine.last.steps[0]!.child).toBeUndefined();
    expect(machine.status).toBe('SLEEPING');
  });

  it('is unsent where the family is too deep, or has made too many visits', () => {
    const deep = new Machine([sub()], { depth: 10, root: 'r', parent: { id: 'p', round: 1, nodeId: 's', visit: 1 } });
    expect(deep.commands).not.toContain('startChild');
    expect(deep.run.state.verdict).toMatchObject({ reason: 'unsent' });
    const wide = new Machine([nap, sub()].map((node, i) => (i === 0 ? { ...node, next: 'sub' } : node)));
    wide.run = { ...wide.run, state: { ...wide.run.state, childVisits: 999_999 } };
    wide.now += 60_000;
    wide.apply({ type: 'timer' });
    expect(wide.run.state.verdict).toMatchObject({ reason: 'unsent' });
    expect(wide.run.state.verdict?.description).toContain('1000000');
  });

  it('withdraws a start that has not left, and awaits one that may have', () => {
    const split = { kind: 'split', id: 'fork', branches: ['sub', 'no'], join: 'end' };
    const both = new Machine([split, sub(), { kind: 'fail', id: 'no', reason: 'No.' }, { kind: 'join', id: 'end' }]);
    expect(both.commands).not.toContain('startChild');
    expect(both.last.tells).toEqual([]);
    const one = new Machine([sub()]).apply({ type: 'cancelled' });
    expect(one.status).toBe('IN_PROGRESS');
    expect(one.started().last.tells).toMatchObject([{ executionId: 'child-1', event: { type: 'cancelled' } }]);
    expect(one.status).toBe('COMPENSATING');
    expect(admit(one.run.state, { type: 'cancelled', inboxId: 'i' })).toMatchObject({ kind: 'conflict' });
    expect(one.ended('CANCELLED').found().status).toBe('CANCELLED');
  });

  it('cancels its child once, at its time or when its scope fails', () => {
    const machine = new Machine([sub({ timeoutMillis: 500 })]).started();
    expect(dueAt(machine.run.state)).toBe(1_500);
    machine.now = 1_500;
    machine.apply({ type: 'timer' });
    expect(machine.last.tells).toHaveLength(1);
    expect(machine.apply({ type: 'cancelled' }).last.tells).toEqual([]);
    machine.ended('CANCELLED').found();
    expect(machine.run.state.end).toMatchObject({ status: 'CANCELLED' });
  });

  it('is refused to operators, who are told the child', () => {
    const { state } = new Machine([sub()]).started().run;
    const resolved = { type: 'resolved', nodeId: 'sub', phase: 'UP', outcome: 'succeeded', reason: 'r' } as const;
    for (const event of [resolved, { type: 'woken', inboxId: 'i' } as const]) {
      expect(admit(state, event)).toEqual({ kind: 'conflict', message: expect.stringContaining('child-1') });
    }
  });
});

describe('taking a child back', () => {
  const unwinding = (): Machine => {
    const machine = new Machine([sub({ next: 'no' }), { kind: 'fail', id: 'no', reason: 'No.' }]);
    return machine.started().ended('SUCCEEDED').found({});
  };

  it('stores the end that was found before the child is changed, and counts only a later one', () => {
    const machine = unwinding();
    expect(machine.commands).toEqual(['takeBack']);
    machine.ended('SUCCEEDED');
    expect(machine.commands).toEqual(['takeBack']);
    expect(machine.run.state.tokens[0]!.stage).toMatchObject({ undo: { child: { part: 'asking', after: 1 } } });
    machine.apply({ type: 'childRuns', childId: 'child-1', isCancellable: false, after: 1 });
    expect(canPark(machine.run.state)).toBe(true);
    machine.ended('CORRUPTED', { end: 1 });
    expect(machine.last.steps).toEqual([]);
    machine.ended('CANCELLED', { end: 2 });
    expect(machine.rows).toEqual(['DOWN:sub:succeeded']);
    expect(machine.found().status).toBe('FAILED');
  });

  it('ignores an answer about the child from before its end', () => {
    const machine = unwinding()
      .ended('SUCCEEDED')
      .apply({ type: 'childRuns', childId: 'child-1', isCancellable: true });
    expect(machine.last.tells).toEqual([]);
    expect(machine.run.state.tokens[0]!.stage).toMatchObject({ undo: { child: { part: 'asking', after: 1 } } });
  });

  it('leaves the visit standing if effects of the child do that have no compensation', () => {
    const machine = unwinding()
      .ended('SUCCEEDED')
      .apply({ type: 'childRuns', childId: 'child-1', isCancellable: false, after: 1 });
    machine.ended('CANCELLED', { end: 2, standing: true });
    expect(machine.rows).toEqual(['DOWN:sub:succeeded']);
    expect(machine.last.steps[0]!.note).toContain('effects of it stand');
    expect(machine.last.undo).toMatchObject([{ undo: 'accepted' }]);
    expect(machine.found().status).toBe('FAILED');
  });

  it('has failed when the child ends CORRUPTED again; resolve settles it', () => {
    const machine = unwinding()
      .ended('SUCCEEDED')
      .apply({ type: 'childRuns', childId: 'child-1', isCancellable: false, after: 1 });
    machine.ended('CORRUPTED', { end: 2, description: 'It broke.' });
    expect(machine.rows).toEqual(['DOWN:sub:unknown']);
    expect(machine.last.steps[0]!.note).toContain('It broke.');
    expect(machine.found().status).toBe('CORRUPTED');
  });

  it('can be settled by hand while it is awaited', () => {
    const machine = unwinding()
      .ended('SUCCEEDED')
      .apply({ type: 'childRuns', childId: 'child-1', isCancellable: false, after: 1 });
    machine.apply({ type: 'resolved', nodeId: 'sub', phase: 'DOWN', outcome: 'succeeded', reason: 'By hand.' });
    expect(machine.found().status).toBe('FAILED');
    expect(machine.ended('CANCELLED', { end: 2 }).last.steps).toEqual([]);
  });

  it('cancels a child that runs', () => {
    const machine = unwinding().apply({ type: 'childRuns', childId: 'child-1', isCancellable: true });
    expect(machine.last.tells).toMatchObject([
      { executionId: 'child-1', event: { type: 'cancelled', parentId: 'e1' } },
    ]);
    expect(machine.ended('CANCELLED', { end: 1 }).rows).toEqual(['DOWN:sub:succeeded']);
  });
});

describe('a child', () => {
  const parent = { id: 'p', round: 1, nodeId: 'sub', visit: 1 };
  const child = () => new Machine([nap], { parent, root: 'p', depth: 2 });

  it('tells its parent each of its ends, numbered', () => {
    const machine = child();
    machine.now += 60_000;
    machine.apply({ type: 'timer' });
    expect(machine.last.tells).toMatchObject([
      { executionId: 'p', event: { type: 'childEnded', end: 1, status: 'SUCCEEDED', visits: 1 } },
    ]);
    machine.apply({ type: 'takenBack', parentId: 'p' });
    expect(machine.rows).toEqual(['WORKFLOW:sub:succeeded']);
    expect(machine.found().last.tells).toMatchObject([{ event: { end: 2, status: 'CANCELLED', reason: 'undone' } }]);
    machine.apply({ type: 'takenBack', parentId: 'p' });
    expect([machine.last.tells, machine.last.steps]).toEqual([[], []]);
    machine.apply({ type: 'renewed', parentId: 'p' });
    expect(machine.run.state).toMatchObject({ round: 2, ends: 2 });
    machine.apply({ type: 'terminated' });
    expect(machine.last.tells).toMatchObject([{ event: { end: 3, status: 'TERMINATED' } }]);
  });

  it('that the engine gave up ends so, and is cancelled when it is taken back', () => {
    const machine = child();
    machine.run = { ...machine.run, state: quarantined(machine.run.state, 2_000, 'It fails.', true) };
    expect(machine.run.state).toMatchObject({ ends: 1, end: { status: 'CORRUPTED', reason: 'engine' } });
    machine.apply({ type: 'takenBack', parentId: 'p' });
    expect(machine.status).toBe('COMPENSATING');
    expect(machine.found().last.tells).toMatchObject([{ event: { end: 2, status: 'CANCELLED' } }]);
  });

  it('notes that its parent cancelled it, which is no request of an operator', () => {
    const machine = child().apply({ type: 'cancelled', inboxId: 'i', reason: 'Because.', parentId: 'p' });
    expect(machine.last.steps[0]).toMatchObject({ note: 'Cancelled by the execution p.', index: -1 });
    expect(machine.run.state.changes).toBeUndefined();
  });
});

it('an execution without a parent tells no other one', () => {
  const machine = new Machine([nap]);
  expect(machine.apply({ type: 'terminated' }).last.tells).toEqual([]);
  expect(machine.run.state).not.toHaveProperty('ends');
  expect(machine.run.state).not.toHaveProperty('tellsChildren');
});
