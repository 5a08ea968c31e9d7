/** Properties of the core that hold for any definition and any sequence of events, including meaningless ones. */
import { callsOf } from './call/ending-call.ts';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Journal } from '../scenario/play/journal.ts';
import { allAdditions, withLoopsAndChildren } from '../../simulator/language/random-family.ts';
import { randomDefinition } from '../../simulator/random-definition.ts';
import { Random } from '../../simulator/random.ts';
import { type DefinitionView, viewOf } from '../../simulator/definition-view.ts';
import { mustUndo } from '../../simulator/rules/ledger.ts';
import { apply, prepared, type Env, type Run, type Transition } from './apply.ts';
import { compileDefinition } from './definition/compile.ts';
import { deliveryOf, isSettled } from './delivery.ts';
import { dueAt, inFlight } from './due.ts';
import type { CallResult, Command, Event } from './event.ts';
import type { StepRow } from './history.ts';
import { parseJson, stringifyJson, type JsonObject } from './value/json.ts';
import { Outputs } from './context/outputs.ts';
import { begin } from './start.ts';
import type { State, Token } from './state.ts';
import { summarize } from './summary.ts';
import { wantedOutputs } from './context/wanted.ts';

const limits = {
  maxNodeVisits: 200,
  maxNodeVisitsCap: 1_000,
  hookMaxMillis: 60_000,
  hookDeliverMillis: 300_000,
  maxRetryAfterMillis: 60_000,
  maxAdvances: 100,
  maxTurnSteps: 100_000,
  maxTurnBytes: 4_194_304,
};

type FindUndo = Extract<Command, { type: 'findUndo' }>;

/** One execution, driven by hand: performs the commands as the engine does, and injects any other events. */
class Machine {
  readonly view: DefinitionView;
  readonly journal = new Journal();
  readonly asked = new Map<number, FindUndo>();
  readonly ends: { round: number; status: string }[] = [];
  run: Run;
  now = 1_000_000;
  /** Half of the machines end their turns as early as possible. */
  readonly #limits: typeof limits;
  #randoms = 0;
  #children = 0;

  constructor(definitionSeed: number) {
    this.#limits = definitionSeed % 2 === 0 ? limits : { ...limits, maxTurnSteps: 1 };
    const random = new Random(definitionSeed);
    const drawn = randomDefinition(random, { length: 4, depth: 2, maxWaitMillis: 5_000 });
    const definition = definitionSeed % 3 === 0 ? drawn : withLoopsAndChildren(random, drawn, allAdditions);
    const compiled = compileDefinition(definition, { hash: 'hash' });
    if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
    this.view = viewOf(definition);
    const header = {
      id: 'e1',
      name: 'random',
      version: '1',
      payload: { order: 1, flag: definitionSeed % 3 },
      labels: {},
    };
    this.run = { plan: compiled.plan, header, state: undefined as unknown as State, outputs: Outputs.empty };
    this.#take(begin(compiled.plan, header, this.env(true)));
  }

  env(advance: boolean): Env {
    // Repeats the same random numbers for the same transition.
    let drawn = this.#randoms;
    const next = (): number => (drawn = (Math.imul(drawn, 1_103_515_245) + 12_345) & 0x7f_ff_ff_ff);
    return {
      now: this.now,
      advance,
      random: () => next() / 0x80_00_00_00,
      nonce: () => `n${String(next())}`,
      executionId: () => `child-${String(this.#children)}-${String(next())}`,
      callbackKey: (used) => used ?? 'k',
      variable: () => undefined,
      limits: this.#limits,
    };
  }

  /** Applies an event twice: to the state, and to a copy of it that was stored and loaded. */
  apply(event: Event, advance = true): void {
    const before = this.run.state;
    const text = stringifyJson(before as unknown as JsonObject);
    const transition = apply(this.run, event, this.env(advance));
    const copy = apply({ ...this.run, state: parseJson(text) as unknown as State }, event, this.env(advance));
    expect(plain(copy)).toEqual(plain(transition));
    // The input state is unchanged.
    expect(stringifyJson(before as unknown as JsonObject)).toBe(text);
    if (before.end !== undefined && !['retried', 'resolved', 'undone', 'childrenTold'].includes(event.type)) {
      expect(transition.state.end).toEqual(before.end);
      expect(summarize(transition.state).completedAt).toBe(before.end.at);
      const isDelivered = deliveryOf(before) !== undefined;
      // Children of an execution that was terminated are told after its end.
      const commands = transition.commands.filter(({ type }) => type !== 'terminateChildren');
      expect(before.tellsChildren !== undefined || commands.length === transition.commands.length).toBe(true);
      for (const command of commands) expect(command).toMatchObject({ type: 'call', phase: 'HOOK' });
      expect(commands.length).toBeLessThanOrEqual(isDelivered ? 1 : 0);
    }
    this.#take(transition);
  }

  #take(transition: Transition): void {
    const before = this.run.state as State | undefined;
    const { state, steps } = transition;
    const ords = [...steps, ...callsOf(transition)].map(({ ord }) => ord).sort((a, b) => a - b);
    expect(ords).toEqual(Array.from(ords, (_, i) => (before?.ord ?? 0) + 1 + i));
    expect(state.ord).toBe((before?.ord ?? 0) + ords.length);
    expect(state.now).toBeGreaterThanOrEqual(before?.now ?? 0);
    this.journal.append(transition);
    this.run = { ...this.run, state, outputs: transition.outputs };
    this.#randoms++;
    this.#children++;
    for (const command of transition.commands)
      if (command.type === 'findUndo') this.asked.set(command.tokenId, command);
    const sent = transition.commands.flatMap((command) => (command.type === 'call' ? [command.callId] : []));
    expect(sent.every((callId) => isSettled(state) || inFlight(state).includes(callId))).toBe(true);
    if (state.end !== undefined && before?.end === undefined) {
      this.ends.push({ round: state.round, status: state.end.status });
    }
    // An execution that is over is settled if and only if it has no due time.
    if (state.end !== undefined) {
      expect(dueAt(state) === null).toBe(isSettled(state));
      expect(deliveryOf(state) !== undefined && state.hook !== undefined).toBe(false);
      if (state.hook !== undefined) expect(state.hookWarning === undefined).toBe(state.hook.isDelivered);
    }
    this.#staysSmall(state);
  }

  /** Checks that the state stays small: everything that grows with the number of visits is in the history. */
  #staysSmall(state: State): void {
    const nodes = this.run.plan.nodes.size;
    expect(state.tokens.length).toBeLessThanOrEqual(2 * nodes + 2);
    expect(stringifyJson(state as unknown as JsonObject).length).toBeLessThan(4_000 + 1_500 * nodes);
  }

  /** Discards the outputs in memory and loads those that can still be read, as after a load. */
  reload(): void {
    const { plan, state } = this.run;
    const rows = this.journal.readOutputs(state.round, wantedOutputs(plan, state));
    this.run = { ...this.run, outputs: Outputs.empty.with(rows) };
  }

  /** Answers a search for the next compensation as the engine does. */
  answerSearch(tokenId: number): void {
    const command = this.asked.get(tokenId);
    this.asked.delete(tokenId);
    const token = this.run.state.tokens.find(({ id }) => id === tokenId);
    if (command === undefined || token?.stage.kind !== 'unwinding' || token.stage.undo !== undefined) return;
    const target = this.journal.findUndo(command);
    this.apply({ type: 'undoFound', tokenId, ...(target === undefined ? undefined : { target }) });
  }
}

function plain({ outputs: _outputs, ...rest }: Transition): unknown {
  return JSON.parse(JSON.stringify(rest));
}

const results: readonly CallResult[] = [
  ...[200, 200, 200, 202, 204, 400, 404, 409, 410, 429, 500, 502, 503, 504].map((status): CallResult => ({
    kind: 'response',
    response: { status, headers: {}, body: { status } },
  })),
  { kind: 'unsent', reason: 'Refused.', retryable: false },
  { kind: 'unsent', reason: 'No connection.', retryable: true },
  { kind: 'failed', error: 'timeout', reason: 'Too late.' },
  { kind: 'failed', error: 'connect', reason: 'Broken.' },
  { kind: 'failed', error: 'body', reason: 'Cut.' },
];

/** Injects one random event, which may or may not make sense. */
function happen(machine: Machine, random: Random): void {
  const { state } = machine.run;
  const advance = random.chance(0.9);
  const anyToken = state.tokens.length === 0 ? undefined : random.pick(state.tokens);
  switch (random.int(0, 16)) {
    case 14:
    case 15:
      machine.apply(eventOfChild(state, random), advance);
      break;
    case 16:
      if (random.chance(0.3)) machine.apply({ type: 'undone', reason: 'Not wanted.' }, advance);
      else machine.apply({ type: 'childrenTold' }, advance);
      break;
    case 0:
    case 1:
    case 2:
    case 3: {
      const open = inFlight(state);
      const callId = open.length === 0 || random.chance(0.1) ? random.int(0, 50) : random.pick(open);
      const retryAfterMillis = random.chance(0.2) ? { retryAfterMillis: random.int(0, 100_000) } : undefined;
      machine.apply({ type: 'answered', callId, result: random.pick(results), ...retryAfterMillis }, advance);
      break;
    }
    case 4:
    case 5:
      machine.now += random.pick([0, 1, 500, 5_000]);
      machine.apply({ type: 'timer' }, advance);
      break;
    case 6:
      machine.apply(callbackFor(anyToken, state, random), advance);
      break;
    case 7:
      machine.answerSearch(random.pick([...machine.asked.keys(), 99]));
      break;
    case 8:
      machine.reload();
      machine.apply({ type: random.pick(['resumed', 'continued', 'started'] as const) }, advance);
      break;
    case 9:
      if (random.chance(0.3)) machine.apply({ type: 'cancelled', inboxId: 'c' }, advance);
      else machine.apply({ type: 'woken', inboxId: 'w' }, advance);
      break;
    case 10:
      if (random.chance(0.2)) machine.apply({ type: 'terminated' }, advance);
      else if (random.chance(0.1)) machine.apply({ type: 'quarantined', description: 'Odd.' }, advance);
      break;
    case 11:
      if (random.chance(0.5)) machine.apply({ type: 'retried', force: random.chance(0.5) }, advance);
      else machine.apply({ type: 'redelivered', force: random.chance(0.5) }, advance);
      break;
    case 12: {
      const phase = random.pick(['UP', 'DOWN'] as const);
      const nodeId = anyToken?.nodeId ?? 'nowhere';
      const undone = phase === 'DOWN' ? machine.journal.findUnfinished(state.round, { nodeId }) : undefined;
      const target = undone === undefined ? undefined : { target: undone };
      const outcome = random.pick(['succeeded', 'failed'] as const);
      machine.apply({ type: 'resolved', nodeId, phase, outcome, reason: 'So.', body: 1, ...target }, advance);
      break;
    }
    default: {
      const reused = random.chance(0.3) ? { reused: { key: 'k', ord: 1, begunAt: 1 } } : undefined;
      const event = { type: 'prepared', callId: random.int(0, 50), fingerprint: 'f', ...reused } as const;
      const alone = prepared(state, event);
      machine.apply(event, advance);
      // The shortcut that the engine uses gives the same state, except for the time.
      expect({ ...alone, now: 0 }).toEqual({ ...machine.run.state, now: 0 });
    }
  }
}

/** Something that is said of a child; of one that there is, as a rule. */
function eventOfChild(state: State, random: Random): Event {
  const [childId = 'none'] = childrenOf(state).toSorted(() => random.next() - 0.5);
  switch (random.int(0, 3)) {
    case 0:
      return { type: 'childStarted', childId, version: '1', definitionHash: 'h', fingerprint: 'f' };
    case 1:
      return random.chance(0.3)
        ? { type: 'childRefused', childId, reason: 'No.' }
        : { type: 'childRuns', childId, isCancellable: random.chance(0.5), ...(random.chance(0.5) && { after: 1 }) };
    default: {
      const status = random.pick(['SUCCEEDED', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'CORRUPTED', 'TERMINATED'] as const);
      const [end, standing] = [random.int(1, 3), random.chance(0.3)];
      return { type: 'childEnded', childId, end, status, result: { n: 1 }, visits: 2, standing };
    }
  }
}

/** The children that tokens start, await or take back. */
function childrenOf(state: State): readonly string[] {
  return state.tokens.flatMap(({ stage }) => {
    if (stage.kind === 'child') return [stage.child.id];
    return stage.kind === 'unwinding' && stage.undo?.child !== undefined ? [stage.undo.child.id] : [];
  });
}

/** What a well-behaved child says next; undefined if no token has one. */
function nextOfChild({ tokens }: State): Event | undefined {
  for (const { stage } of tokens) {
    if (stage.kind === 'child') {
      const { id: childId, after = 0 } = stage.child;
      const started = { type: 'childStarted', childId, version: '1', definitionHash: 'h', fingerprint: 'f' } as const;
      if (stage.part === 'starting') return started;
      return { type: 'childEnded', childId, end: after + 4, status: 'SUCCEEDED', visits: 1, standing: false };
    }
    const child = stage.kind === 'unwinding' ? stage.undo?.child : undefined;
    if (child === undefined) continue;
    const { id: childId, after } = child;
    return { type: 'childEnded', childId, end: (after ?? 0) + 4, status: 'CANCELLED', visits: 1, standing: false };
  }
  return undefined;
}

function callbackFor(token: Token | undefined, state: State, random: Random): Event {
  const task = token !== undefined && 'task' in token.stage ? token.stage.task : undefined;
  return {
    type: 'callback',
    inboxId: `cb${String(random.int(0, 1_000_000))}`,
    round: random.chance(0.9) ? state.round : 7,
    nodeId: token?.nodeId ?? 'nowhere',
    visit: task?.visit ?? 1,
    operation: task?.operation ?? 1,
    nonce: random.chance(0.9) ? (task?.nonce ?? '') : 'other',
    body: random.pick([{ ok: true }, { ok: false }, null, 'text', [1]]),
    pending: random.chance(0.1),
  };
}

/** Runs the execution to its end; all calls succeed from now on. */
function finish(machine: Machine): void {
  for (let step = 0; !isSettled(machine.run.state); step++) {
    if (step > 2_000) throw new Error(`It does not end: ${JSON.stringify(machine.run.state.tokens)}`);
    const { state } = machine.run;
    const [callId] = inFlight(state);
    const [tokenId] = machine.asked.keys();
    const said = nextOfChild(state);
    if (state.tellsChildren !== undefined) machine.apply({ type: 'childrenTold' });
    else if (said !== undefined) machine.apply(said);
    else if (callId !== undefined) machine.apply({ type: 'answered', callId, result: results[0]! });
    else if (tokenId !== undefined) machine.answerSearch(tokenId);
    else {
      machine.now = Math.max(machine.now, dueAt(state) ?? 0);
      machine.apply({ type: 'timer' });
    }
  }
}

const scenarios = fc.tuple(fc.integer({ min: 0, max: 100_000 }), fc.array(fc.integer({ min: 0 }), { maxLength: 70 }));

/** Checks a property over definitions and events; reports the seed and the shortest failing list of events. */
function holds(runs: number, property: (machine: Machine, events: readonly number[]) => void): void {
  fc.assert(
    fc.property(scenarios, ([seed, events]) => property(new Machine(seed), events)),
    { numRuns: runs },
  );
}

describe('apply', () => {
  it('is total, keeps to JSON, numbers its rows without gaps, and stays small, whatever comes', () => {
    holds(300, (machine, events) => {
      for (const seed of events) happen(machine, new Random(seed));
    });
  });

  it('comes to one outcome from wherever it is', () => {
    const statuses = new Set<string>();
    holds(250, (machine, events) => {
      for (const seed of events) happen(machine, new Random(seed));
      finish(machine);
      const ended = machine.run.state.end;
      for (const { status } of machine.ends) statuses.add(status);
      const anything: Event[] = [
        { type: 'timer' },
        { type: 'resumed' },
        { type: 'woken' },
        { type: 'cancelled' },
        { type: 'terminated' },
        { type: 'answered', callId: machine.run.state.calls, result: results[0]! },
      ];
      for (const event of anything) machine.apply(event);
      expect(machine.run.state.end).toEqual(ended);
    });
    expect([...statuses].sort()).toEqual(['CANCELLED', 'CORRUPTED', 'FAILED', 'SUCCEEDED', 'TERMINATED']);
  });

  it('leaves nothing to compensate behind when it fails, and compensates in order', () => {
    let undone = 0;
    holds(300, (machine, events) => {
      for (const seed of events) happen(machine, new Random(seed));
      finish(machine);
      const { state } = machine.run;
      if (state.end?.status !== 'FAILED' && state.end?.status !== 'CANCELLED') return;
      const { steps } = machine.journal;
      const left = steps.filter((row) => row.round === state.round && mustUndo(machine.view, row));
      const settled = new Set(['done', 'resolved', 'accepted']);
      for (const row of left) expect(settled).toContain(undoOf(machine, row));
      undone += left.length;
      inOrder(machine, state.round);
    });
    expect(undone).toBeGreaterThan(50);
  });
});

function undoOf(machine: Machine, row: StepRow): string {
  for (const undo of ['pending', 'reopened'] as const) {
    const only = { nodeId: row.nodeId, visit: row.visit };
    const command = { type: 'findUndo', tokenId: 0, round: row.round, scope: row.scope, undo, only } as const;
    if (machine.journal.findUndo(command)?.ord === row.ord) return undo;
  }
  return 'done';
}

/**
 * Checks the order of compensation of visits outside of branches: of two visits that were both final before the
 * compensation of either began, the one that comes first by the rules was compensated first. Visits with a route are
 * excluded, since they are compensated before the route is taken.
 */
function inOrder({ journal, view }: Machine, round: number): void {
  const steps = journal.steps.filter((row) => row.round === round && view.tasks.get(row.nodeId)?.hasRoute !== true);
  const isVisit = (row: StepRow): ((other: StepRow) => boolean) => {
    return (other) => other.nodeId === row.nodeId && other.visit === row.visit;
  };
  const downs = steps.filter((row) => row.phase === 'DOWN' && row.scope === '');
  const begun = downs.filter((row, i) => downs.findIndex(isVisit(row)) === i);
  const decided = begun.map((row) => steps.find((other) => other.undoRank !== undefined && isVisit(row)(other)));
  for (const [i, earlier] of decided.entries()) {
    for (const later of decided.slice(i + 1)) {
      if (earlier === undefined || later === undefined || later.ord > (begun[i]?.ord ?? 0)) continue;
      const rank = (later.undoRank ?? 0) - (earlier.undoRank ?? 0);
      expect(rank).toBeGreaterThanOrEqual(0);
      if (rank === 0) expect(earlier.undoSort).toBeGreaterThan(later.undoSort ?? 0);
    }
  }
}
