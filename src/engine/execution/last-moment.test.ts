/** Calls that get their place or connection while a checkpoint under way decides about them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graph, RuntimeFixture, task } from '../../../test/runtime-fixture.ts';
import type { JsonObject } from '../../core/value/json.ts';
import type { Engine } from '../engine.ts';
import type { CallGate, Entry, GatedCall, Pass } from '../call/gate/call-gate.ts';
import { Pulse } from '../service.ts';

/** The first call waits for this long. */
const lacks = ['a place', 'a connection'] as const;
const waitMillis = 5_000;
/** When a checkpoint decides: before the call can leave. */
const decisionMillis = 3_000;

/** A gate that keeps the first call waiting until it is released. */
class FirstWaits implements CallGate {
  readonly pulse: Pulse;
  taken = 0;
  #isFull: boolean;
  #first: ((pass: Pass) => void) | undefined;

  constructor(fixture: RuntimeFixture, isFull: boolean) {
    this.pulse = new Pulse('gate', fixture.clock);
    this.#isFull = isFull;
  }

  enter(_call: GatedCall): Entry {
    if (!this.#isFull) return this.#pass();
    this.#isFull = false;
    return {
      kind: 'queued',
      wait: (then) => {
        this.#first = then;
        return () => (this.#first = undefined);
      },
    };
  }

  free(): void {
    this.#first?.(this.#pass());
  }

  #pass(): Pass {
    this.taken++;
    return { kind: 'open', done: () => this.taken-- };
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  ended(): void {
    // The gate keeps no state of an execution.
  }

  keepOnly(): void {
    // It keeps nothing of an execution.
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

/** `b` waits for its place or connection while `a` waits for its callback. */
const besides = graph([
  { kind: 'split', id: 's', branches: ['b', 'a'], join: 'j' },
  task('b'),
  task('a', { action: { mode: 'async', callback: { timeoutMillis: decisionMillis } } }),
  { kind: 'join', id: 'j' },
]);

describe.each(lacks)('a call that waited for %s', (lack) => {
  let fixture: RuntimeFixture;
  let gate: FirstWaits;
  let engine: Engine;
  let write: () => void;

  beforeEach(async () => {
    fixture = new RuntimeFixture();
    gate = new FirstWaits(fixture, lack === 'a place');
    fixture.gate = gate;
    if (lack === 'a connection') fixture.http.connectMillis = waitMillis;
    engine = await fixture.engine();
  });

  afterEach(async () => {
    await fixture.close();
    expect(fixture.clock.pending).toBe(0);
    expect(gate.taken).toBe(0);
  });

  /**
   * Submits the definition. When this returns, the first call can leave, and the store has not answered the checkpoint
   * that decided before.
   */
  async function decided(definition: JsonObject): Promise<string> {
    const id = await fixture.submit(engine, definition);
    await fixture.clock.advance(1_000);
    const before = fixture.store.count('checkpoint');
    const held = new Promise<void>((resolve) => (write = resolve));
    fixture.store.fault = (operation) => (operation === 'checkpoint' ? held : undefined);
    await fixture.clock.advance(waitMillis);
    gate.free();
    await fixture.clock.advance(100);
    expect(fixture.store.count('checkpoint')).toBe(before + 1);
    fixture.store.fault = () => undefined;
    return id;
  }

  it('does not leave once the end of its time has given it up', async () => {
    const id = await decided(graph([task('b')], { timeoutMillis: decisionMillis }));
    expect(fixture.http.paths()).toEqual([]);
    write();
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED', reason: 'execution_timeout' });
    expect(fixture.http.paths()).toEqual(['undo-b']);
    expect(await fixture.rows(id)).toEqual(['UP:b:unknown', 'DOWN:b:succeeded']);
  });

  it('does not leave once its execution has begun to fail', async () => {
    const id = await decided(besides);
    write();
    expect(await fixture.until(id)).toMatchObject({ status: 'FAILED', reason: 'callback_timeout' });
    expect(fixture.http.paths()).toEqual(['a', 'undo-a']);
    expect(await fixture.rows(id)).toContain('UP:b:unsent');
  });

  it('leaves when the store refuses what would have failed its execution', async () => {
    const id = await decided(besides);
    expect(fixture.http.paths()).toEqual(['a']);
    // A callback that was accepted earlier decides.
    expect(await fixture.offer(undefined, id, await fixture.callbackOf(id, 'a'), 'h')).toBe('accepted');
    write();
    expect((await fixture.until(id)).status).toBe('SUCCEEDED');
    expect(fixture.http.paths()).toEqual(['a', 'b']);
  });
});
