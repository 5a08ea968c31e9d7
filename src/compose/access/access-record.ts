import { createHash } from 'node:crypto';
import type { Config } from '../../config/config.ts';
import type { Clock, Entropy } from '../../ports/clock.ts';
import type { Store } from '../../ports/store.ts';

/** The setting of the store that holds the access as the last start found it. */
const settingName = 'access';

interface Access {
  readonly enabled: boolean;
  /** Digests by the kind and id of what they cover. */
  readonly entries: Readonly<Record<string, string>>;
}

/** What the record needs. */
export interface RecordParts {
  readonly store: Pick<Store, 'getSetting' | 'initSetting' | 'changeSetting' | 'appendAudit'>;
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/**
 * Records in the audit log a change of keys, of the token issuer, or of whether the server requires credentials. The
 * configuration holds them, so no request changes them: every start compares them with what the last start found. The
 * store keeps only digests. Two processes that start at the same moment may both record a change.
 */
export async function recordAccess(auth: Config['security']['auth'], parts: RecordParts): Promise<void> {
  const { store, clock, entropy } = parts;
  const now = accessOf(auth);
  const text = JSON.stringify(now);
  const kept = await store.getSetting(settingName);
  if (kept === text || (kept === undefined && !now.enabled)) return;
  const before = kept === undefined ? { enabled: false, entries: {} } : (JSON.parse(kept) as Access);
  const at = clock.now();
  // The entry comes first: a start that dies in between records it again, rather than never.
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
