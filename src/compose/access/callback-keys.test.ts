import { expect, it } from 'vitest';
import { resolveCallbackKeys } from './callback-keys.ts';

/** Settings of a store, in memory. */
function settings(): Parameters<typeof resolveCallbackKeys>[1] {
  const values = new Map<string, string>();
  return {
    getSetting: (key) => Promise.resolve(values.get(key)),
    initSetting(key, value) {
      if (!values.has(key)) values.set(key, value);
      return Promise.resolve(values.get(key)!);
    },
  };
}

const none = { baseUrl: undefined, hmacSecret: undefined, hmacKid: 'default', keys: [] };

it('makes a key where none is configured, and keeps it', async () => {
  const store = settings();
  const [first, ...others] = await resolveCallbackKeys(none, store);
  expect(others).toEqual([]);
  expect(first!.kid).toMatch(/^own-[\da-f]{12}$/);
  expect(first!.secret.length).toBeGreaterThanOrEqual(43);
  expect(await resolveCallbackKeys(none, store)).toEqual([first]);
  expect(await resolveCallbackKeys(none, settings())).not.toEqual([first]);
});

it('lets configured keys sign, the first of the list before the single one, and none is made', async () => {
  const store = settings();
  const keys = [
    { kid: 'b', secret: 'two' },
    { kid: 'a', secret: 'one' },
  ];
  const single = { kid: 'default', secret: 'three' };
  expect(await resolveCallbackKeys({ ...none, keys, hmacSecret: 'three' }, store)).toEqual([...keys, single]);
  expect(await resolveCallbackKeys({ ...none, hmacSecret: 'three' }, store)).toEqual([single]);
});

it('goes on verifying with the made key once others are configured', async () => {
  const store = settings();
  const [own] = await resolveCallbackKeys(none, store);
  const configured = { kid: 'default', secret: 'three' };
  expect(await resolveCallbackKeys({ ...none, hmacSecret: 'three' }, store)).toEqual([configured, own]);
});
