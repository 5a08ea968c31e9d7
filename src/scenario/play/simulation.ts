import type { CoreLimits, Env } from '../../core/run.ts';
import type { Definitions } from '../definitions.ts';
import { nodeName } from '../names.ts';
import type { Scenario, ScenarioAction } from '../scenario.ts';
import type { TraceEntry } from '../trace.ts';
import { Agenda } from './agenda.ts';
import { Downstream } from './downstream.ts';
import { SimulatedExecution, type World } from './execution.ts';
import { SimulatedFamily } from './family.ts';
import { nextTimer } from './waiting.ts';

/** The options of a simulation besides definitions and scenario. */
export interface SimulationSettings {
  readonly executionId: string;
  /** Timeout of calls whose definition names none, in milliseconds. */
  readonly requestTimeoutMillis: number;
  /** Bound of answers, callbacks, actions and timers. */
  readonly maxEvents: number;
  readonly limits: CoreLimits;
}

/** The order of events at one instant. */
const ranks = { downstream: 0, people: 1 } as const;

/**
 * Plays one execution, and those that it starts, in virtual time: with the real core, in-memory histories, and the downstream answers of the
 * scenario. Nothing waits in real time: the instant of the next answer, callback, action or timer becomes `now`.
 *
 * Deterministic: at one instant answers and callbacks come first, in the order of their calls, then actions, then
 * timers; of several executions the one that began first comes first. Backoff has no jitter. An instance plays once.
 */
export class Simulation implements World {
  readonly root: SimulatedExecution;
  readonly family: SimulatedFamily;
  readonly downstream: Downstream;
  readonly requestTimeoutMillis: number;
  readonly telling: { readonly trace: TraceEntry[]; readonly startedAt: number };
  /** The names of all calls in the order in which they went out. */
  readonly calls: (readonly string[])[] = [];
  readonly #scenario: Scenario;
  readonly #settings: SimulationSettings;
  readonly #agenda = new Agenda();
  #nonces = 0;
  #children = 0;
  #now: number;

  constructor(definitions: Definitions, scenario: Scenario, settings: SimulationSettings) {
    const { root: plan } = definitions;
    const { payload, startedAt } = scenario;
    this.#scenario = scenario;
    this.#settings = settings;
    this.requestTimeoutMillis = settings.requestTimeoutMillis;
    this.downstream = new Downstream(scenario);
    this.telling = { trace: [], startedAt };
    this.#now = startedAt;
    const { name, version } = plan;
    const labels = { ...plan.labels, ...scenario.labels };
    this.root = new SimulatedExecution(plan, { id: settings.executionId, name, version, payload, labels }, [], this);
    this.family = new SimulatedFamily(definitions, this.root, this);
  }

  get now(): number {
    return this.#now;
  }

  get env(): Env {
    return {
      now: this.#now,
      advance: true,
      random: () => 0.5,
      nonce: () => `nonce-${String(++this.#nonces)}`,
      executionId: () => `child-${String(++this.#children)}`,
      callbackKey: () => undefined,
      variable: (name) => this.variable(name),
      limits: this.#settings.limits,
    };
  }

  variable(name: string): string | undefined {
    const { vars } = this.#scenario;
    return Object.hasOwn(vars, name) ? vars[name] : undefined;
  }

  later(millis: number, happen: () => void): void {
    this.#agenda.add(this.#now + millis, ranks.downstream, happen);
  }

  called(names: readonly string[]): void {
    this.calls.push(names);
  }

  /** Plays until nothing more can happen. Returns false when it reached `maxEvents`. */
  play(): boolean {
    const { startedAt, actions } = this.#scenario;
    for (const action of actions) {
      this.#agenda.add(startedAt + action.atMillis, ranks.people, () => {
        this.#act(action);
      });
    }
    this.root.begin();
    this.#settle();
    for (let events = 0; ; events++) {
      const outside = this.#agenda.next() ?? Infinity;
      const [timer, execution] = this.#nextTimer();
      if (outside === Infinity && execution === undefined) return true;
      if (events >= this.#settings.maxEvents) return false;
      this.#now = Math.max(this.#now, Math.min(outside, timer));
      if (outside <= timer) this.#agenda.take()?.();
      else execution?.apply({ type: 'timer' });
      this.#settle();
    }
  }

  #nextTimer(): readonly [at: number, execution: SimulatedExecution | undefined] {
    let next: readonly [number, SimulatedExecution | undefined] = [Infinity, undefined];
    for (const execution of this.family.executions) {
      const at = nextTimer(execution.run.state) ?? Infinity;
      if (at < next[0]) next = [at, execution];
    }
    return next;
  }

  /** Lets all executions go on until only time or an event from outside can move them. */
  #settle(): void {
    while (this.family.executions.some((execution) => execution.step()));
  }

  #act(action: ScenarioAction): void {
    const execution = action.at === undefined ? this.root : this.family.latestAt(action.at);
    if (execution !== undefined) {
      execution.act(action, this.root.run.state.end !== undefined);
      return;
    }
    const note = `The node ${action.at ?? ''} has started no execution yet.`;
    const entry = { kind: 'action', atMillis: this.#now - this.telling.startedAt, do: action.do } as const;
    this.telling.trace.push({ ...entry, run: action.at ?? nodeName([]), accepted: false, note });
  }
}
