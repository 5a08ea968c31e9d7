import { isJsonObject, parseJson } from '../../../core/value/json.ts';
import type { Store } from '../../../ports/store.ts';
import type { Origin } from './origin.ts';

/**
 * A hold of an operator: calls to a host, or of a definition, have to wait. Exactly one of `host` and `name` is given.
 * Instants are ms since 1970.
 *
 * Holds are few, people change them, and every process reads all of them every three seconds. So they are stored in one
 * setting, which is changed by compare-and-set. A separate table would cost two migrations and four more operations of
 * the port without a benefit.
 */
export interface CallHold {
  readonly id: string;
  /** `host` (any port) or `host:port`, in lower case. */
  readonly host?: string;
  readonly name?: string;
  /** Every version of the definition when absent. */
  readonly version?: string;
  readonly reason: string;
  /** The person who placed or last replaced the hold: see `AuditEntry.actor`. Absent without authentication. */
  readonly actor?: string;
  /** When the hold expires. */
  readonly until?: number;
  readonly createdAt: number;
}

/** Maximum number of holds. */
export const maxHolds = 200;

const setting = 'operator.holds';
const none = '[]';
/** Maximum number of attempts at a change. People rarely change holds at the same time, so more conflicts are an error. */
const maxTries = 20;

type SettingStore = Pick<Store, 'getSetting' | 'initSetting' | 'changeSetting'>;

/** Every hold that has not ended, oldest first. */
export async function readHolds(store: SettingStore, now: number): Promise<readonly CallHold[]> {
  return current(await store.getSetting(setting), now);
}

/**
 * Changes the holds atomically. May call `change` several times, also on holds that already contain its change. Returns
 * the changed holds.
 *
 * @throws Error when other processes change the holds at every attempt.
 */
export async function changeHolds(
  store: SettingStore,
  now: number,
  change: (holds: readonly CallHold[]) => readonly CallHold[],
): Promise<readonly CallHold[]> {
  for (let tries = 0; tries < maxTries; tries++) {
    const text = (await store.getSetting(setting)) ?? (await store.initSetting(setting, none));
    const changed = change(current(text, now));
    const to = JSON.stringify(changed);
    if (to === text || (await store.changeSetting(setting, text, to))) return changed;
  }
  throw new Error('The holds were changed by others again and again.');
}

/** Whether the hold applies to a call. */
export function isHeld(
  hold: CallHold,
  call: { readonly name: string; readonly version: string },
  origin?: Origin,
): boolean {
  if (hold.name !== undefined) {
    return hold.name === call.name && (hold.version === undefined || hold.version === call.version);
  }
  return origin !== undefined && (hold.host === origin.host || hold.host === origin.hostPort);
}

/** Whether the hold has not ended. */
export function stands({ until }: CallHold, now: number): boolean {
  return until === undefined || until > now;
}

function current(text: string | undefined, now: number): readonly CallHold[] {
  if (text === undefined || text === none) return [];
  const read = parseJson(text);
  const holds = Array.isArray(read) ? (read.filter(isJsonObject) as unknown as readonly CallHold[]) : [];
  return holds.filter((hold) => stands(hold, now));
}
