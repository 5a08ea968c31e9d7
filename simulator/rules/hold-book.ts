import type { Store } from '../../src/ports/store.ts';
import type { VirtualClock } from '../virtual-clock.ts';

/** A call that may be held. */
export interface HoldableCall {
  /** Host name without a port. */
  readonly host: string;
  readonly definition: string;
  readonly version: string;
}

/** A hold as it stands in the store. */
interface WrittenHold {
  readonly id: string;
  readonly host?: string;
  readonly name?: string;
  readonly version?: string;
  readonly until?: number;
}

const settingName = 'operator.holds';

/**
 * The operators' holds, as they are durable. Independent of the gate under test, so that the gate's own reading of the
 * same list is checked.
 */
export class HoldBook {
  #durable: readonly WrittenHold[] = [];

  /** Enters a setting that became durable. */
  written(name: string, text: string): void {
    if (name === settingName) this.#durable = parse(text);
  }

  /** Ids of the holds that are durable, ended ones included. */
  get ids(): readonly string[] {
    return this.#durable.map(({ id }) => id);
  }

  /** Whether a durable hold keeps the call back. */
  holds(call: HoldableCall, now: number): boolean {
    return this.#durable.some((hold) => applies(hold, call, now));
  }
}

/** The holds that one process has read from the store. */
export class HoldsHeard {
  readonly #clock: VirtualClock;
  #heard: readonly WrittenHold[] | undefined;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** The store with every answer about the holds entered here. */
  watch(store: Store): Store {
    const getSetting: Store['getSetting'] = async (name) => {
      const text = await store.getSetting(name);
      if (name === settingName) this.#hear(parse(text));
      return text;
    };
    return new Proxy(store, {
      get: (target, name): unknown => (name === 'getSetting' ? getSetting : Reflect.get(target, name)),
    });
  }

  /** The hold that the process must know to keep the call back; `unread` before it has read any. */
  against(call: HoldableCall, now: number): string | undefined {
    if (this.#heard === undefined) return 'unread';
    return this.#heard.find((hold) => applies(hold, call, now))?.id;
  }

  /** A lifted hold ends at once; a new one begins a moment later, once the process has read the answer. */
  #hear(holds: readonly WrittenHold[]): void {
    const texts = new Set(holds.map((hold) => JSON.stringify(hold)));
    this.#heard = this.#heard?.filter((hold) => texts.has(JSON.stringify(hold))) ?? [];
    this.#clock.after(1, () => {
      this.#heard = holds;
    });
  }
}

function applies({ host, name, version, until }: WrittenHold, call: HoldableCall, now: number): boolean {
  if (until !== undefined && until <= now) return false;
  if (host !== undefined) return host === call.host || host === `${call.host}:80`;
  return name === call.definition && (version === undefined || version === call.version);
}

function parse(text: string | undefined): readonly WrittenHold[] {
  return text === undefined ? [] : (JSON.parse(text) as readonly WrittenHold[]);
}
