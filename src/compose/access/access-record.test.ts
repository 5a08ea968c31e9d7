import { randomUUID } from 'node:crypto';
import { beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { MemoryStore } from '../../../simulator/store/memory-store.ts';
import { VirtualClock } from '../../../simulator/virtual-clock.ts';
import { recordAccess } from './access-record.ts';

let store: MemoryStore;
beforeEach(async () => {
  store = new MemoryStore();
  await store.open();
});

/** A start with these fields of `security.auth`; answers what it entered. */
async function start(auth: string): Promise<readonly unknown[]> {
  const loaded = loadConfig({ env: {}, fileText: { text: `security: { auth: { ${auth} } }`, name: 'trama.yaml' } });
  if (!loaded.ok) throw new Error(loaded.problems.join(' '));
  const earlier = new Set((await store.listAudit({}, { limit: 100 })).items.map(({ id }) => id));
  const entropy = { uuid: () => randomUUID(), nonce: () => randomUUID(), random: () => 0 };
  await recordAccess(loaded.config.security.auth, { store, clock: new VirtualClock(), entropy });
  const { items } = await store.listAudit({ actor: 'system', action: 'access.configured' }, { limit: 100 });
  return items.filter(({ id }) => !earlier.has(id)).map(({ details = '' }) => JSON.parse(details) as unknown);
}

const key = (id: string, role = 'viewer'): string => `{ id: ${id}, sha256: ${id.repeat(64)}, roles: [${role}] }`;
const jwt = 'jwt: { issuer: i, audience: a, jwksUrl: "https://i/keys" }';

it('enters who came, who went and who changed, and nothing where nothing did', async () => {
  expect(await start('')).toEqual([]);
  expect(await start(`apiKeys: [${key('a')}, ${key('b')}]`)).toEqual([
    { enabled: true, added: ['key:a', 'key:b'], removed: [], changed: [] },
  ]);
  expect(await start(`apiKeys: [${key('a')}, ${key('b')}]`)).toEqual([]);
  expect(await start(`apiKeys: [${key('b', 'admin')}, ${key('c')}], ${jwt}`)).toEqual([
    { enabled: true, added: ['key:c', 'issuer:i'], removed: ['key:a'], changed: ['key:b'] },
  ]);
  expect(await start(`enabled: false, apiKeys: [${key('b', 'admin')}, ${key('c')}], ${jwt}`)).toEqual([
    { enabled: false, added: [], removed: [], changed: [] },
  ]);
});

it('keeps nothing by which a key could be recognised', async () => {
  await start(`apiKeys: [${key('a')}]`);
  expect(await store.getSetting('access')).not.toContain('a'.repeat(64));
});
