/** The delivery of a hook after the end of its execution. */
import { callsOf } from './call/ending-call.ts';
import { describe, expect, it } from 'vitest';
import { apply, type Env, type Run, type Signal } from './apply.ts';
import { prepareCall } from './call/call.ts';
import { compileDefinition } from './definition/compile.ts';
import { deliveryOf, hookStatus, isSettled } from './delivery.ts';
import { canPark, dueAt, inFlight } from './due.ts';
import type { CallCommand, CallResult, Event } from './event.ts';
import type { CallRow, StepRow } from './history.ts';
import type { Json } from './value/json.ts';
import { Outputs } from './context/outputs.ts';
import { begin } from './start.ts';
import type { State } from './state.ts';
import { summarize } from './summary.ts';
import { quarantined } from './transition/control.ts';

const hour = 3_600_000;
const deliverMillis = 24 * hour;
const maxMillis = 60_000;

const limits = {
  maxNodeVisits: 200,
  maxNodeVisitsCap: 1_000,
  hookMaxMillis: maxMillis,
  hookDeliverMillis: deliverMillis,
  maxRetryAfterMillis: hour,
  maxAdvances: 100,
  maxTurnSteps: 100_000,
  maxTurnBytes: 4_194_304,
};

/** The retry policy of hooks before the end in these tests: one retry after a second. */
const once = { type: 'retry', maxAttempts: 1, delayMillis: 1_000 };

const answer = (status: number): CallResult => ({ kind: 'response', response: { status, headers: {}, body: null } });
const away: CallResult = { kind: 'unsent', reason: 'No connection.', retryable: true };

/** One execution with a task and both hooks, driven by hand. */
class Machine {
  run: Run;
  now = 1_000_000;
  readonly steps: StepRow[] = [];
  readonly calls: CallRow[] = [];
  readonly signals: Signal[] = [];
  readonly sent: CallCommand[] = [];
  readonly #limits: typeof limits;

  constructor(own: Partial<typeof limits> = {}, policy: Json = once) {
    this.#limits = { ...limits, ...own };
    const call = (path: string): Json => ({ url: `http://host/${path}`, verb: 'POST' });
    const compiled = compileDefinition(
      {
        name: 'hooked',
        version: '1',
        failureHandling: policy,
        compensationHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
        entrypoint: 'a',
        nodes: [
          {
            kind: 'task',
            id: 'a',
            action: { mode: 'sync', request: call('a') },
            compensation: call('undo'),
            next: 'b',
          },
          { kind: 'task', id: 'b', action: { mode: 'sync', request: call('b') } },
        ],
        onSuccessCallback: call('won'),
        onFailureCallback: call('lost'),
      },
      { hash: 'hash' },
    );
    if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
    const header = { id: 'e1', name: 'hooked', version: '1', payload: {}, labels: {} };
    this.run = { plan: compiled.plan, header, state: undefined as unknown as State, outputs: Outputs.empty };
    this.#take(begin(compiled.plan, header, this.#env(true)));
  }

  get state(): State {
    return this.run.state;
  }

  #env(advance: boolean): Env {
    return {
      now: this.now,
      advance,
      random: () => 0.5,
      nonce: () => 'n',
      executionId: () => 'child',
      callbackKey: () => 'k',
      variable: () => undefined,
      limits: this.#limits,
    };
  }

  #take(transition: ReturnType<typeof apply>): void {
    this.run = { ...this.run, state: transition.state, outputs: transition.outputs };
    this.steps.push(...transition.steps);
    this.calls.push(...callsOf(transition));
    this.signals.push(...transition.signals);
    for (const command of transition.commands) if (command.type === 'call') this.sent.push(command);
    for (const command of transition.commands) {
      if (command.type !== 'findUndo') continue;
      const row = this.steps.findLast((step) => step.undo === 'pending' && !this.#undone.has(step.ord));
      if (row === undefined) this.apply({ type: 'undoFound', tokenId: command.tokenId });
      else {
        this.#undone.add(row.ord);
        const { nodeId, visit, round, ord, scope } = row;
        const target = { nodeId, visit, round, ord, scope, outcome: 'succeeded', key: row.key ?? '' } as const;
        this.apply({ type: 'undoFound', tokenId: command.tokenId, target });
      }
    }
  }

  readonly #undone = new Set<number>();

  apply(event: Event, advance = true): void {
    this.#take(apply(this.run, event, this.#env(advance)));
  }

  answer(result: CallResult, retryAfterMillis?: number): void {
    const [callId = 0] = inFlight(this.state);
    this.apply({
      type: 'answered',
      callId,
      result,
      ...(retryAfterMillis === undefined ? undefined : { retryAfterMillis }),
    });
  }

  block(cause: 'hold' | 'circuit', forMillis: number): void {
    const [callId = 0] = inFlight(this.state);
    this.apply({ type: 'blocked', callId, cause, until: this.now + forMillis, detail: 'kept back' });
  }

  /** Advances the time until something is due. */
  wait(): number {
    const before = this.now;
    this.now = Math.max(this.now, dueAt(this.state) ?? 0);
    this.apply({ type: 'timer' });
    return this.now - before;
  }

  /** Runs until the hook was called twice and is not retried again before the end. */
  toEnd(result: CallResult = answer(503)): this {
    for (let call = 0; call < 2; call++) this.answer(answer(200));
    this.answer(result);
    if (this.state.end === undefined) {
      this.wait();
      this.answer(result);
    }
    return this;
  }

  get key(): string | undefined {
    const command = this.sent.at(-1);
    const resources = { resolver: { variable: () => undefined, secret: () => undefined } } as never;
    return command && prepareCall(this.run, command, resources)?.idempotencyKey;
  }

  get results(): readonly string[] {
    return this.signals.flatMap((signal) => (signal.kind === 'hookEnded' ? [signal.result] : []));
  }
}

describe('a hook that is not delivered before the end', () => {
  it('ends the execution as ever, and waits to be called again', () => {
    const machine = new Machine().toEnd();
    expect(summarize(machine.state)).toMatchObject({
      status: 'SUCCEEDED',
      completedAt: machine.now,
      callbackWarning: 'onSuccessCallback failed: The downstream answered 503.',
    });
    expect(machine.signals.filter(({ kind }) => kind === 'finished')).toHaveLength(1);
    expect(isSettled(machine.state)).toBe(false);
    expect(canPark(machine.state)).toBe(true);
    expect(hookStatus(machine.state)).toEqual({
      state: 'PENDING',
      name: 'onSuccessCallback',
      attempts: 2,
      nextAt: machine.now + 5_000,
    });
    expect(machine.results).toEqual([]);
  });

  it('is called under the same key until it is delivered, and the end stays what and when it was', () => {
    const machine = new Machine().toEnd();
    const { end } = machine.state;
    machine.wait();
    const { key } = machine;
    expect(key).toBe('e1:1:onSuccessCallback:1:HOOK');
    machine.answer(away);
    machine.wait();
    expect(machine.key).toBe(key);
    machine.answer(answer(204));
    expect(machine.state.end).toEqual(end);
    expect(hookStatus(machine.state)).toEqual({ state: 'DELIVERED', name: 'onSuccessCallback', attempts: 4 });
    expect([isSettled(machine.state), dueAt(machine.state)]).toEqual([true, null]);
    const { completedAt, updatedAt, callbackWarning } = summarize(machine.state);
    expect([completedAt, updatedAt, callbackWarning]).toEqual([end?.at, machine.now, undefined]);
    expect(machine.calls.filter(({ phase }) => phase === 'HOOK').map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    expect(
      machine.steps.filter(({ phase }) => phase === 'HOOK').map(({ attempt, outcome }) => [attempt, outcome]),
    ).toEqual([
      [2, 'rejected'],
      [4, 'succeeded'],
    ]);
    expect(machine.results).toEqual(['late']);
  });

  it('backs off up to ten minutes, and is called for the last time when its time is over', () => {
    const machine = new Machine().toEnd();
    const ended = machine.now;
    const waits: number[] = [];
    while (!isSettled(machine.state)) {
      waits.push(machine.wait());
      machine.answer(answer(503));
    }
    expect(waits.slice(0, 8)).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 500_000]);
    expect(Math.max(...waits)).toBe(500_000);
    expect(machine.now).toBe(ended + deliverMillis);
    expect(hookStatus(machine.state)).toMatchObject({ state: 'FAILED', attempts: 2 + waits.length });
    expect(summarize(machine.state).callbackWarning).toBe('onSuccessCallback failed: The downstream answered 503.');
    expect(machine.results).toEqual(['failed']);
  });

  it('waits as long as it is asked to, within its time', () => {
    const machine = new Machine().toEnd();
    machine.wait();
    machine.answer(answer(429), 2 * hour);
    expect(machine.wait()).toBe(hour);
  });

  it.each([
    ['does not repeat what would fail again', answer(404), undefined],
    [
      'does not repeat what could not be sent for good',
      { kind: 'unsent', reason: 'No secret.', retryable: false },
      undefined,
    ],
    [
      'repeats what the definition would not have, for want of attempts',
      away,
      { type: 'retry', maxAttempts: 0, delayMillis: 1 },
    ],
    [
      'does not repeat what the definition leaves out',
      answer(503),
      { type: 'retry', maxAttempts: 1, delayMillis: 1, retryOn: { statusCodes: [500] } },
    ],
  ] as const)('%s', (name, result, policy) => {
    const machine = new Machine({}, policy === undefined ? once : { ...policy }).toEnd(result);
    expect(machine.state.end?.status).toBe('SUCCEEDED');
    expect(hookStatus(machine.state)?.state).toBe(name.startsWith('does not') ? 'FAILED' : 'PENDING');
  });

  it('is given up at the end where nothing is delivered after it', () => {
    const machine = new Machine({ hookDeliverMillis: 0 }).toEnd();
    expect(hookStatus(machine.state)).toEqual({ state: 'FAILED', name: 'onSuccessCallback', attempts: 2 });
    expect(machine.results).toEqual(['failed']);
  });

  it('counts no call that a circuit keeps back, before the end and after it', () => {
    const machine = new Machine();
    for (let call = 0; call < 2; call++) machine.answer(answer(200));
    while (machine.state.end === undefined) {
      machine.block('circuit', 30_000);
      if (machine.state.end === undefined) machine.wait();
    }
    expect(machine.now).toBe(1_000_000 + maxMillis);
    expect(hookStatus(machine.state)).toMatchObject({ state: 'PENDING', attempts: 0, nextAt: machine.now + 30_000 });
    machine.wait();
    machine.block('circuit', 30_000);
    expect(hookStatus(machine.state)?.attempts).toBe(0);
    machine.wait();
    machine.answer(answer(200));
    expect(hookStatus(machine.state)).toMatchObject({ state: 'DELIVERED', attempts: 1 });
    expect(machine.calls.filter(({ phase }) => phase === 'HOOK')).toHaveLength(1);
  });

  it('is tried once more at the end of its time, however late the circuit would have it look again', () => {
    const machine = new Machine().toEnd();
    const ended = machine.now;
    machine.wait();
    machine.block('circuit', 100 * hour);
    machine.wait();
    expect(machine.now).toBe(ended + deliverMillis);
    machine.block('circuit', 1_000);
    expect(hookStatus(machine.state)).toMatchObject({ state: 'FAILED', attempts: 2 });
    expect(summarize(machine.state).callbackWarning).toContain('kept back');
  });

  it('waits for a hold as long as it stands, and has its whole time after that', () => {
    const machine = new Machine().toEnd();
    const ended = machine.now;
    machine.wait();
    machine.block('hold', 100 * hour);
    machine.wait();
    machine.answer(answer(503));
    expect(hookStatus(machine.state)?.state).toBe('PENDING');
    while (!isSettled(machine.state)) {
      machine.wait();
      machine.answer(answer(503));
    }
    expect(machine.now).toBe(ended + deliverMillis + 100 * hour);
  });

  it('is called again under its key when its process went away, and that is on record', () => {
    const machine = new Machine().toEnd();
    machine.wait();
    const { key } = machine;
    expect(inFlight(machine.state)).toHaveLength(1);
    expect(canPark(machine.state)).toBe(false);
    machine.apply({ type: 'resumed' });
    machine.apply({ type: 'timer' });
    expect(machine.key).toBe(key);
    expect(machine.calls.at(-1)).toMatchObject({ attempt: 3, outcome: 'unknown' });
    expect(hookStatus(machine.state)?.attempts).toBe(4);
  });

  it('cannot be cancelled, terminated or woken any more', () => {
    const machine = new Machine().toEnd();
    const { state } = machine;
    for (const type of ['cancelled', 'terminated', 'woken', 'continued'] as const) machine.apply({ type });
    expect(machine.state).toEqual({ ...state });
  });

  it.each(['event', 'row'])('is given up when the engine fails on it, which changes no status (%s)', (how) => {
    const machine = new Machine().toEnd();
    const { end } = machine.state;
    machine.wait();
    if (how === 'event') machine.apply({ type: 'quarantined', description: 'Odd.' });
    else machine.run = { ...machine.run, state: quarantined(machine.state, machine.now, 'Odd.') };
    expect(machine.state.end).toEqual(end);
    expect(hookStatus(machine.state)).toMatchObject({ state: 'FAILED', attempts: 3 });
    expect([dueAt(machine.state), summarize(machine.state).callbackWarning]).toEqual([
      null,
      'onSuccessCallback failed: Odd.',
    ]);
  });
});

describe('a redelivery by hand', () => {
  it('calls a hook at once that waits, and gives it its whole time again', () => {
    const machine = new Machine().toEnd();
    for (let call = 0; call < 6; call++) {
      machine.wait();
      machine.answer(answer(503));
    }
    machine.now += 1_000;
    machine.apply({ type: 'redelivered', force: false }, false);
    expect(hookStatus(machine.state)).toMatchObject({ state: 'PENDING', nextAt: machine.now });
    expect(deliveryOf(machine.state)?.stage.run.delivery).toEqual({ until: machine.now + deliverMillis });
    machine.wait();
    machine.answer(answer(503));
    expect(machine.wait()).toBe(5_000);
  });

  it('calls a hook again that has failed, under its key', () => {
    const machine = new Machine({ hookDeliverMillis: 0 }).toEnd();
    machine.apply({ type: 'redelivered', force: false }, false);
    expect(hookStatus(machine.state)).toMatchObject({ state: 'PENDING', attempts: 2 });
    machine.wait();
    expect(machine.key).toBe('e1:1:onSuccessCallback:1:HOOK');
    machine.answer(answer(200));
    expect(hookStatus(machine.state)).toMatchObject({ state: 'DELIVERED', attempts: 3 });
    expect(summarize(machine.state).callbackWarning).toBeUndefined();
  });

  it('calls one that was delivered only when forced, and none that is being called', () => {
    const machine = new Machine().toEnd();
    machine.wait();
    const calling = machine.state;
    machine.apply({ type: 'redelivered', force: true }, false);
    expect(machine.state.tokens).toEqual(calling.tokens);
    machine.answer(answer(200));
    machine.apply({ type: 'redelivered', force: false }, false);
    expect(isSettled(machine.state)).toBe(true);
    machine.apply({ type: 'redelivered', force: true }, false);
    expect(hookStatus(machine.state)?.state).toBe('PENDING');
  });
});

describe('an execution that goes on', () => {
  /** A failed execution whose compensation fails and whose hook is not delivered. */
  function corrupted(): Machine {
    const machine = new Machine();
    machine.answer(answer(200));
    machine.answer(answer(400));
    machine.answer(answer(500));
    machine.answer(away);
    machine.wait();
    machine.answer(away);
    expect(machine.state.end?.status).toBe('CORRUPTED');
    expect(hookStatus(machine.state)?.state).toBe('PENDING');
    return machine;
  }

  it('drops the hook of its former end when it is retried, also in the middle of a call', () => {
    const machine = corrupted();
    machine.wait();
    const [callId] = inFlight(machine.state);
    machine.apply({ type: 'retried', force: false }, false);
    expect(machine.state.tokens.map(({ stage }) => stage.kind)).toEqual(['unwinding']);
    expect(machine.calls.at(-1)).toMatchObject({ callId, phase: 'HOOK', outcome: 'unknown' });
    expect(machine.steps.findLast(({ phase }) => phase === 'HOOK')).toMatchObject({
      outcome: 'unknown',
      note: 'Not delivered any more, since the execution was retried.',
    });
    expect([machine.state.hook, machine.state.hookWarning]).toEqual([undefined, undefined]);
    expect(machine.results).toEqual(['dropped']);
  });

  it('is called again later when one of several compensations is settled in the middle of a call', () => {
    const machine = corrupted();
    machine.wait();
    const [callId] = inFlight(machine.state);
    machine.run = { ...machine.run, state: { ...machine.state, troubles: 2 } };
    const { ord } = machine.steps.findLast(({ undo }) => undo === 'pending')!;
    const target = { nodeId: 'a', visit: 1, round: 1, ord, scope: '', outcome: 'succeeded', key: '' } as const;
    machine.apply({ type: 'resolved', nodeId: 'a', phase: 'DOWN', outcome: 'succeeded', reason: 'So.', target }, false);
    expect(machine.calls.at(-1)).toMatchObject({ callId, phase: 'HOOK', outcome: 'unknown' });
    expect(hookStatus(machine.state)).toMatchObject({ state: 'PENDING', nextAt: machine.now + 5_000 });
    machine.wait();
    expect(machine.key).toBe('e1:1:onFailureCallback:1:HOOK');
  });

  it('tells of its new end when the last compensation is settled by hand, under another key', () => {
    const machine = corrupted();
    const row = machine.steps.findLast(({ undo }) => undo === 'pending');
    if (row === undefined) throw new Error('Nothing was to be compensated.');
    const { nodeId, visit, round, ord, scope } = row;
    const target = { nodeId, visit, round, ord, scope, outcome: 'succeeded', key: '' } as const;
    machine.apply({ type: 'resolved', nodeId, phase: 'DOWN', outcome: 'succeeded', reason: 'So.', target });
    expect(machine.key).toBe('e1:1:onFailureCallback:2:HOOK');
    machine.answer(answer(200));
    expect(machine.state.end?.status).toBe('FAILED');
    expect(hookStatus(machine.state)).toEqual({ state: 'DELIVERED', name: 'onFailureCallback', attempts: 1 });
    expect(machine.results).toEqual(['dropped', 'delivered']);
  });
});
