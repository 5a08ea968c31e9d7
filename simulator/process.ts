import type { Json } from '../src/core/value/json.ts';
import type { Queue } from '../src/ports/queue.ts';
import type { Store } from '../src/ports/store.ts';
import { KnownDefinitions } from '../src/app/known-definitions.ts';
import type { AppContext } from '../src/app/context.ts';
import type { Engine } from '../src/engine/engine.ts';
import { defaultEngineSettings } from '../src/engine/settings.ts';
import { verifyToken } from './callback-address.ts';
import type { ProcessClock } from './process-clock.ts';
import type { ProcessGate } from './process-gate.ts';
import type { Reach } from './rules/reach.ts';

/** A process of the simulated world that runs or is frozen. */
export interface Process {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly engine: Engine;
  readonly app: AppContext;
  readonly queue: Queue;
  readonly gate: ProcessGate | undefined;
  readonly works: boolean;
  isStopping: boolean;
}

/** The store and queue that the engine of a process works with. */
export interface Ports {
  readonly store: Store;
  readonly queue: Queue;
}

/** A place where one process at a time runs; `process` is undefined in between. */
export interface Seat {
  readonly index: number;
  readonly works: boolean;
  readonly reach: Reach;
  starts: number;
  process: Process | undefined;
  /** Tells the process that its connection to the queue broke and comes back. */
  reconnect: () => void;
}

/** The services of one process over a store. */
export function appOver(
  store: AppContext['store'],
  clock: AppContext['clock'],
  entropy: AppContext['entropy'],
  plans: AppContext['plans'],
  engine: AppContext['engine'],
): AppContext {
  return {
    store,
    clock,
    entropy,
    plans,
    known: new KnownDefinitions(20),
    engine,
    tokens: { verify: verifyToken },
    masker: { text: (text) => text, json: (value: Json) => value, headers: (headers) => headers },
    limits: defaultEngineSettings.limits,
    callTimes: { usual: defaultEngineSettings.requestTimeoutMillis, max: defaultEngineSettings.maxTimeoutMillis },
    maxHistoryBody: defaultEngineSettings.maxHistoryBody,
    maxOutputBytes: defaultEngineSettings.maxOutputBytes,
    variable: () => undefined,
  };
}
