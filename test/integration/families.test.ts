/** Executions that start others, on Postgres. */
import { afterAll, beforeAll } from 'vitest';
import { familyPlays } from '../e2e/stage/family-plays.ts';
import { Stage } from '../e2e/stage/stage.ts';
import { PostgresServer } from '../servers/postgres.ts';

const env: Record<string, string> = {};
const stage = new Stage(env);
let server: PostgresServer;

beforeAll(async () => {
  server = await PostgresServer.create();
  env['DATABASE_URL'] = server.url(await server.createDatabase());
  await stage.open();
});
afterAll(async () => {
  await stage.close();
  await server.remove();
});

familyPlays(stage);
