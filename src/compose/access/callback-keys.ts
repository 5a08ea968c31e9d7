import { randomBytes } from 'node:crypto';
import type { CallbackKey, Config } from '../../config/config.ts';
import { callbackKeysOf } from '../../config/rules.ts';
import type { Store } from '../../ports/store.ts';

/** The setting of the store that holds the key made there. */
const settingName = 'callback.key';

/**
 * The keys that sign and verify callback tokens: the configured ones; without any, one that the store made at its first
 * start and keeps. The store's key still verifies once keys are configured, so that callbacks reach executions that
 * already wait. The first key signs.
 */
export async function resolveCallbackKeys(
  configured: Config['runtime']['callback'],
  store: Pick<Store, 'getSetting' | 'initSetting'>,
): Promise<readonly CallbackKey[]> {
  const keys = callbackKeysOf(configured);
  const kept =
    keys.length === 0
      ? await store.initSetting(settingName, JSON.stringify(createKey()))
      : await store.getSetting(settingName);
  if (kept === undefined) return keys;
  const own = JSON.parse(kept) as CallbackKey;
  return keys.some((key) => key.kid === own.kid) ? keys : [...keys, own];
}

function createKey(): CallbackKey {
  return { kid: `own-${randomBytes(6).toString('hex')}`, secret: randomBytes(32).toString('base64url') };
}
