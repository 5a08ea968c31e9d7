/**
 * A promotion carries every column, or there is a reason why not. A change that adds a column or a table to a store fails here
 * to decide what becomes of it.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openFile } from '../../src/store/sqlite/database.ts';
import { migrate } from '../../src/store/sqlite/migrations.ts';
import { openStore } from '../servers/postgres-stores.ts';
import { PostgresServer } from '../servers/postgres.ts';

/** Columns that are alike on both sides, by the table of each side. */
const carried: Readonly<Record<string, readonly string[]>> = {
  setting: ['key', 'value'],
  definition: ['created_at', 'definition', 'hash', 'id', 'name', 'updated_at', 'version'],
  definition_body: ['definition', 'hash'],
  step: [
    'call',
    'call_id',
    'effect',
    'execution',
    'marked',
    'node_id',
    'ord',
    'output',
    'readable',
    'round',
    'row',
    'scope',
    'shown',
    'undo',
    'undo_rank',
    'undo_sort',
    'visit',
  ],
  call: ['execution', 'ord', 'row'],
  inbox: ['at', 'body_hash', 'event', 'execution', 'id', 'nonce', 'pending', 'position'],
  audit: ['action', 'actor', 'address', 'at', 'details', 'id', 'outcome', 'request_id', 'target'],
  start_key: ['caller', 'created_at', 'execution_id', 'fingerprint', 'key', 'orphan'],
};

/** Of an execution: in one table there, in three here. */
const ofExecution = [
  'body',
  'callback_keys',
  'callback_warning',
  'change',
  'claims',
  'completed_at',
  'created_at',
  'due_at',
  'failed_node_id',
  'failure_description',
  'id',
  'inbox_seq',
  'labels',
  'link',
  'name',
  'parent',
  'payload',
  'reason',
  'root',
  'round',
  'seq',
  'slot',
  'standing',
  'started_at',
  'state',
  'status',
  'traceparent',
  'updated_at',
];

const here: readonly string[] = [
  ...Object.entries(carried).flatMap(([table, columns]) => columns.map((column) => `${table}.${column}`)),
  ...ofExecution.filter((column) => column in { traceparent: 0, payload: 0 }).map((column) => `input.${column}`),
  ...ofExecution
    .filter((column) => column in { seq: 0, inbox_seq: 0, claims: 0, change: 0, updated_at: 0, state: 0 })
    .map((column) => `run.${column}`),
];

const elsewhere = new Set(here.flatMap((name) => (/^(?:run|input)\./.test(name) ? [name.split('.')[1]] : [])));

/** What stays behind, and why. */
const left: Readonly<Record<string, string>> = {
  'definition_body.no': 'numbers are given anew',
  'execution.no': 'executions are named by their ids',
  'execution.version': 'goes with what the execution is pinned to',
  'run.execution': 'the id of the execution',
  'run.claim': 'the workers of the directory are gone',
  'input.execution': 'the id of the execution',
  'step.no': 'the order of writing',
  'call.no': 'the order of writing',
  'label.key': 'made from the labels of the execution',
  'label.value': 'made from the labels of the execution',
  'label.id': 'made from the labels of the execution',
  'removed_root.root': 'the target finds the members of removed roots by itself',
  'garbage.execution': 'history of removed executions is left out',
};

/** What the target has besides, and where it comes from. */
const own: Readonly<Record<string, string>> = {
  'definition_body.no': 'given anew',
  'definition_body.name': 'from the executions that are pinned to it',
  'definition_body.version': 'from the executions that are pinned to it',
  'execution.claim': 'no worker holds it',
  'step.earlier': 'made from the effect of the step',
  'label.key': 'made from the labels of the execution',
  'label.value': 'made from the labels of the execution',
  'label.execution': 'made from the labels of the execution',
  'garbage.execution': 'nothing was removed yet',
  'dropped_range.low': 'nothing was removed yet',
  'dropped_range.high': 'nothing was removed yet',
  'process.id': 'says who works on the target',
  'process.pod_id': 'says who works on the target',
  'process.version': 'says who works on the target',
  'process.works': 'says who works on the target',
  'process.sole_worker': 'says who works on the target',
  'process.ttl_millis': 'says who works on the target',
  'process.beat_at': 'says who works on the target',
  'migration.version': 'of the schema',
  'migration.title': 'of the schema',
  'migration.needed_version': 'of the schema',
  'migration.applied_at': 'of the schema',
};

let server: PostgresServer;
beforeAll(async () => {
  server = await PostgresServer.create();
});
afterAll(() => server.remove());

it('every column of the embedded store is carried, or left for a reason', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'trama-columns-'));
  const db = openFile(dataDir);
  migrate(db, dataDir, true);
  const columns = db
    .prepare(
      `SELECT t.name || '.' || c.name AS name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'`,
    )
    .all();
  db.close();
  await rm(dataDir, { recursive: true });
  const executions = ofExecution.filter((column) => !elsewhere.has(column)).map((column) => `execution.${column}`);
  const expected = [...here, ...executions, ...Object.keys(left)];
  expect(columns.map(({ name }) => name as string).toSorted()).toEqual(expected.toSorted());
});

it('every column of the store on Postgres is filled, or empty for a reason', async () => {
  const { store, database } = await openStore(server);
  await store.close();
  const rows = await server.query(
    `SELECT c.table_name || '.' || c.column_name AS name FROM information_schema.columns c
    WHERE c.table_schema = 'public' AND NOT EXISTS (
      SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.table_name::regclass)`,
    database,
  );
  const expected = [
    ...Object.entries(carried).flatMap(([table, columns]) => columns.map((column) => `${table}.${column}`)),
    // Its name goes with what it is pinned to.
    ...ofExecution.filter((column) => column !== 'name').map((column) => `execution.${column}`),
    ...Object.keys(own),
  ];
  expect(rows.map(({ name }) => name as string).toSorted()).toEqual(expected.toSorted());
});
