import { beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load.ts';
import { StoreUnavailable } from '../../ports/store.ts';
import type { LogFields } from '../../ports/telemetry.ts';
import { VirtualClock } from '../../../simulator/virtual-clock.ts';
import { placeOf } from '../../compose/backends.ts';
import { StartPatience, startPatienceMillis } from './start-patience.ts';

describe('a start whose store is away', () => {
  let clock: VirtualClock;
  let said: { readonly at: number; readonly level: string; readonly message: string; readonly fields: LogFields }[];
  let patience: StartPatience;
  let begun: number;
  const away = new StoreUnavailable('unreachable', 'Postgres cannot answer: connect ECONNREFUSED 127.0.0.1:1.');

  beforeEach(() => {
    clock = new VirtualClock();
    begun = clock.now();
    said = [];
    const log = (level: string, message: string, fields: LogFields = {}): void => {
      said.push({ at: clock.now() - begun, level, message, fields });
    };
    patience = new StartPatience({ clock, telemetry: { log }, place: 'postgres://db:5432/trama' });
  });

  it('says at once where it asks, why that failed and until when it goes on, and says it again more and more seldom', async () => {
    const until = patience.until(() => Promise.reject(away));
    until.catch(() => undefined);
    await clock.advance(startPatienceMillis + 1_000);
    expect(said.map(({ at }) => at)).toEqual([0, 5_000, 15_000, 35_000]);
    for (const { level, message, fields } of said) {
      expect([level, message]).toEqual(['warn', 'the store is away, waiting for it']);
      expect(fields).toEqual({
        store: 'postgres://db:5432/trama',
        error: away.message,
        until: new Date(begun + startPatienceMillis).toISOString(),
      });
    }
    await expect(until).rejects.toMatchObject({
      name: 'StoreUnavailable',
      kind: 'unreachable',
      message: `${away.message} The store is postgres://db:5432/trama; the start asked for 60 s.`,
    });
  });

  it('goes on once the store is there, and says so', async () => {
    let left = 9;
    const until = patience.until(() => (left-- > 0 ? Promise.reject(away) : Promise.resolve()));
    await clock.advance(9 * 500);
    await until;
    expect(said.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'the store is away, waiting for it'],
      ['info', 'the store answers'],
    ]);
    expect(said[1]!.fields).toEqual({ store: 'postgres://db:5432/trama', millis: 4_500 });
  });

  it('says nothing of a store that is there at once', async () => {
    await patience.until(() => Promise.resolve());
    expect(said).toEqual([]);
  });

  it('ends the waiting when it is told to, with the reason of the last refusal', async () => {
    const until = patience.until(() => Promise.reject(away));
    until.catch(() => undefined);
    await clock.advance(100);
    patience.giveUp();
    await expect(until).rejects.toBe(away);
    await expect(patience.until(() => Promise.reject(away))).rejects.toBe(away);
  });

  it('does not wait for what no time mends', async () => {
    const wrong = new Error('The schema is newer than this version.');
    await expect(patience.until(() => Promise.reject(wrong))).rejects.toBe(wrong);
    expect(said).toEqual([]);
  });
});

describe('the place of a store', () => {
  it.each([
    ['database: { url: "postgres://u:pass@db:5432/x" }', 'postgres://db:5432/x'],
    ['database: { url: "postgres://u@db/x?password=pass&sslmode=require" }', 'postgres://db/x'],
    ['database: { url: "postgres://u@/x?host=/run/pg&password=pass" }', 'postgres:///x?host=/run/pg'],
    ['database: { url: "postgres://u:a@pass@db1,db2/x" }', 'postgres://db1,db2/x'],
    ['database: { host: db, user: u, password: pass }', 'db:5432/trama'],
  ])('shows no password: %s', (text, place) => {
    const loaded = loadConfig({ env: {}, fileText: { name: 'x', text } });
    expect(loaded.ok && placeOf(loaded.config)).toBe(place);
  });
});
