import type { Store } from '../../src/ports/store.ts';

/** `refused`: no connection comes about, and who asks is told so. `mute`: requests and answers are lost, and deadlines pass. */
export type Cut = 'refused' | 'mute';

/** What can be cut off. */
export type Server = 'store' | 'queue';

type Method = (...args: unknown[]) => Promise<unknown>;

/** What is read for an execution in hand. */
const reads: ReadonlySet<string> = new Set(['findStanding', 'findUndo', 'readClaims', 'readInbox', 'readOutputs']);

/**
 * What the process in one place reaches of the servers that all share, and how it misses the rest.
 *
 * It outlives the processes that run in the place.
 */
export class Reach {
  readonly #cuts: { store: Cut | undefined; queue: Cut | undefined } = { store: undefined, queue: undefined };
  readonly #reading: () => void;
  #storeCuts = 0;
  /** Answers to reads that are on hold. */
  #held: (() => void)[] | undefined;

  /** `reading` is told of every read for an execution, before it leaves. */
  constructor(reading: () => void) {
    this.#reading = reading;
  }

  /** How a server is missed now; undefined: it is reached. */
  cutOf(server: Server): Cut | undefined {
    return this.#cuts[server];
  }

  /** How often the store was cut off. */
  get storeCuts(): number {
    return this.#storeCuts;
  }

  /** Cuts a server off. */
  cut(server: Server, how: Cut): void {
    this.#cuts[server] = how;
    if (server === 'store') this.#storeCuts++;
  }

  /** The server is reached again; false when it was not cut off. */
  mend(server: Server): boolean {
    const wasCut = this.#cuts[server] !== undefined;
    this.#cuts[server] = undefined;
    return wasCut;
  }

  /** From now on what the store answers to reads stays on the way. */
  holdReads(): void {
    this.#held ??= [];
  }

  /** What was on the way arrives. */
  letReads(): void {
    const held = this.#held;
    this.#held = undefined;
    for (const go of held ?? []) go();
  }

  /** The store, with its answers to reads kept on the way while they are on hold. */
  watch(store: Store): Store {
    return new Proxy(store, {
      get: (target, name): Method => {
        const method = Reflect.get(target, name) as Method;
        if (!reads.has(String(name))) return method;
        return async (...args) => {
          const value = await method.apply(target, args);
          const held = this.#held;
          if (held !== undefined) await new Promise<void>((go) => held.push(go));
          return value;
        };
      },
    });
  }

  /** The same seen from the process: reads are noticed as they leave. */
  notice(store: Store): Store {
    return new Proxy(store, {
      get: (target, name): Method => {
        const method = Reflect.get(target, name) as Method;
        if (!reads.has(String(name))) return method;
        return (...args) => {
          this.#reading();
          return method.apply(target, args);
        };
      },
    });
  }
}
