/** Taking over waits for no disk: a crash may lose it, and then nothing is repeated or left behind. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PostgresStore } from '../../src/store/postgres/postgres-store.ts';
import { checkpointOf, idOf, newExecution, start, stepRow } from '../contract/fixtures/executions.ts';
import { openStore } from '../servers/postgres-stores.ts';
import { PostgresServer } from '../servers/postgres.ts';

let server: PostgresServer;
let store: PostgresStore;
beforeAll(async () => {
  // The log is not written out in the background: what no session waits for stays in memory.
  server = await PostgresServer.create({ wal_writer_delay: '10s', autovacuum: 'off' });
  ({ store } = await openStore(server));
});
afterAll(async () => {
  await store.close();
  await server.remove();
});

it('waits for the disk with every write but that of a take-over', async () => {
  await store.submit([newExecution(1)]);
  // A session that waits for the disk waits for this standby, too, which does not exist.
  await server.query(["ALTER SYSTEM SET synchronous_standby_names = 'absent'", 'SELECT pg_reload_conf()']);
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  const [loaded] = await store.takeOver([{ id: idOf(1), claim: 'c' }], start);
  expect(loaded?.seq).toBe(1);
  expect(await server.query(waiting)).toEqual([]);
  const written = store.checkpoint([checkpointOf(1, 'c', 1)]);
  while ((await server.query(waiting)).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  await server.query(['ALTER SYSTEM RESET synchronous_standby_names', 'SELECT pg_reload_conf()']);
  expect(await written).toEqual([{ kind: 'written', inboxSeq: 0 }]);
});

it('leaves the execution to its former owner when a crash loses a take-over', async () => {
  await store.submit([newExecution(2, { claim: 'former' })]);
  const [loaded] = await store.takeOver([{ id: idOf(2), claim: 'new' }], start);
  expect(loaded?.seq).toBe(1);
  await server.stop('kill');
  await server.start({ autovacuum: 'off' });
  const checkpoints = [
    checkpointOf(2, 'new', 1, { steps: [stepRow(1)] }),
    checkpointOf(2, 'former', 0, { steps: [stepRow(1)] }),
  ];
  const results: unknown[] = [];
  for (const checkpoint of checkpoints) results.push((await store.checkpoint([checkpoint]))[0]);
  expect(results).toEqual([{ kind: 'fenced' }, { kind: 'written', inboxSeq: 0 }]);
  // The new owner hands it back, and takes it over again.
  expect((await store.takeOver([{ id: idOf(2), claim: 'new' }], start))[0]?.seq).toBe(2);
  expect((await store.listSteps(idOf(2), { limit: 9 })).items).toHaveLength(1);
});

it('keeps a take-over on which a checkpoint was built', async () => {
  await store.submit([newExecution(3, { claim: 'former' })]);
  await store.takeOver([{ id: idOf(3), claim: 'new' }], start);
  await store.checkpoint([checkpointOf(3, 'new', 1, { steps: [stepRow(1)] })]);
  await server.stop('kill');
  await server.start({ autovacuum: 'off' });
  expect(await store.checkpoint([checkpointOf(3, 'former', 0, { steps: [stepRow(1)] })])).toEqual([{ kind: 'fenced' }]);
  expect((await store.listSteps(idOf(3), { limit: 9 })).items).toHaveLength(1);
});
