import type { Store } from '../../src/ports/store.ts';

/** `refused`: connections fail with an error. `mute`: requests and answers are lost, and deadlines pass. */
export type Cut = 'refused' | 'mute';

/** Servers that can be cut off. */
export type Server = 'store' | 'queue';

type Method = (...args: unknown[]) => Promise<unknown>;

/** Reads on behalf of a held execution. */
const reads: ReadonlySet<string> = new Set([
  'findStanding',
  'listStandingRequests',
  'findUndo',
  'readClaims',
  'readInbox',
  'readOutputs',
]);

/** How the process in one place reaches the shared servers. Outlives the processes that run in the place. */
export class Reach {
  readonly #cuts: { store: Cut | undefined; queue: Cut | undefined } = { store: undefined, queue: undefined };
  readonly #reading: () => void;
  #storeCuts = 0;
  /** Delayed answers to reads. */
  #held: (() => void)[] | undefined;

  /** `reading` is called for every read for an execution before it leaves. */
  constructor(reading: () => void) {
    this.#reading = reading;
  }

  /** How a server is cut off now; undefined when it is reached. */
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

  /** Ends a cut; false when the server was not cut off. */
  mend(server: Server): boolean {
    const wasCut = this.#cuts[server] !== undefined;
    this.#cuts[server] = undefined;
    return wasCut;
  }

  /** Delays the store's answers to reads from now on. */
  holdReads(): void {
    this.#held ??= [];
  }

  /** Lets delayed answers arrive. */
  letReads(): void {
    const held = this.#held;
    this.#held = undefined;
    for (const go of held ?? []) go();
  }

  /** Wraps the store so that its answers to reads can be delayed. */
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

  /** Wraps the store so that reads are noticed as they leave the process. */
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
