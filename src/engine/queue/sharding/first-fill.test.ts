import { expect, it } from 'vitest';
import { silentTelemetry } from '../../../ports/telemetry.ts';
import { FirstFill } from './first-fill.ts';

class Settings {
  readonly values = new Map<string, string>();
  isAway = false;

  getSetting(key: string): Promise<string | undefined> {
    return Promise.resolve(this.values.get(key));
  }

  initSetting(key: string, value: string): Promise<string> {
    if (this.isAway) return Promise.reject(new Error('away'));
    if (!this.values.has(key)) this.values.set(key, value);
    return Promise.resolve(this.values.get(key) ?? value);
  }

  changeSetting(key: string, before: string, after: string): Promise<boolean> {
    if (this.values.get(key) !== before) return Promise.resolve(false);
    this.values.set(key, after);
    return Promise.resolve(true);
  }
}

function open(store: Settings): { readonly fill: FirstFill; readonly logs: string[] } {
  const logs: string[] = [];
  const telemetry = {
    ...silentTelemetry,
    log: (level: string, message: string, fields?: object) =>
      void logs.push(`${level} ${message} ${JSON.stringify(fields)}`),
  };
  return { fill: new FirstFill({ store, telemetry }), logs };
}

it('is over once, for this process and all that start later', async () => {
  const store = new Settings();
  const { fill, logs } = open(store);
  await fill.open();
  expect(fill.isNew(64)).toBe(true);
  fill.add();
  fill.add();
  await fill.complete(64);
  await fill.complete(64);
  expect([fill.isNew(64), logs]).toEqual([false, ['info queue filled from the store {"shards":2}']]);

  const later = open(store);
  await later.fill.open();
  expect(later.fill.isNew(64)).toBe(false);
});

it('begins anew with another number of shards', async () => {
  const store = new Settings();
  const { fill } = open(store);
  await fill.open();
  await fill.complete(64);
  expect(fill.isNew(128)).toBe(true);
  await fill.complete(128);
  const later = open(store);
  await later.fill.open();
  expect([later.fill.isNew(64), later.fill.isNew(128)]).toEqual([true, false]);
});

it('is over for this process though the store does not take the note, and says so', async () => {
  const store = new Settings();
  const { fill, logs } = open(store);
  await fill.open();
  store.isAway = true;
  await fill.complete(64);
  expect(fill.isNew(64)).toBe(false);
  expect(logs).toEqual(['warn the store did not note that the queue is filled {"error":"Error: away"}']);
});
