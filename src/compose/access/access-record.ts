/**
 * Keys are made and withdrawn in the configuration, which no request changes. So that the audit log tells of that, too,
 * every start compares who may get in with what the last start found, and enters the difference. Nothing but digests of
 * entries is kept. Two processes that start at the same moment may both enter it.
 */
import { createHash } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import type { Clock, Entropy } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';

/** The setting of the store that holds what the last start found. */
const settingName = 'access';

interface Access {
  readonly enabled: boolean;
  /** Digests of entries by what they are of. */
  readonly entries: Readonly<Record<string, string>>;
}

/** What the record is written with. */
export interface RecordParts {
  readonly store: Pick<Store, 'getSetting' | 'initSetting' | 'changeSetting' | 'appendAudit'>;
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/** Enters a change of keys, of the token issuer, or of whether credentials are asked for at all. */
export async function recordAccess(auth: Config['security']['auth'], parts: RecordParts): Promise<void> {
  const { store, clock, entropy } = parts;
  const now = accessOf(auth);
  const text = JSON.stringify(now);
  const kept = await store.getSetting(settingName);
  if (kept === text || (kept === undefined && !now.enabled)) return;
  const before = kept === undefined ? { enabled: false, entries: {} } : (JSON.parse(kept) as Access);
  const at = clock.now();
  // The entry first: a start that dies in between enters it again, rather than never.
  await store.appendAudit({
    id: entropy.uuid(at),
    at,
    actor: 'system',
    action: 'access.configured',
    target: '',
    address: '',
    outcome: 'done',
    requestId: '',
    details: JSON.stringify({ enabled: now.enabled, ...differences(before.entries, now.entries) }),
  });
  if (kept === undefined) await store.initSetting(settingName, text);
  else await store.changeSetting(settingName, kept, text);
}

function accessOf({ enabled, apiKeys, jwt }: Config['security']['auth']): Access {
  const entries = apiKeys.map((key): readonly [string, string] => [`key:${key.id}`, digestOf(key)]);
  if (jwt.issuer !== undefined) entries.push([`issuer:${jwt.issuer}`, digestOf(jwt)]);
  return { enabled, entries: Object.fromEntries(entries) };
}

function digestOf(entry: object): string {
  return createHash('sha256').update(JSON.stringify(entry)).digest('base64url');
}

function differences(
  before: Access['entries'],
  now: Access['entries'],
): { readonly added: readonly string[]; readonly removed: readonly string[]; readonly changed: readonly string[] } {
  const names = Object.keys(now);
  return {
    added: names.filter((name) => !Object.hasOwn(before, name)),
    removed: Object.keys(before).filter((name) => !Object.hasOwn(now, name)),
    changed: names.filter((name) => Object.hasOwn(before, name) && before[name] !== now[name]),
  };
}
