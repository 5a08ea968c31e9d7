/**
 * The restore of the runbook, with its commands as written: of Postgres from a dump, of an embedded store from a copy of its directory.
 * What was accepted after the backup is not known; what ran then runs again from where the backup stands, with the same keys; callbacks
 * that were on their way are good.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { compileCache, main, startTrama, type TramaProcess } from '../e2e/trama-process.ts';
import { openClusterStage, until } from './cluster-stage.ts';
import { runBlock } from './rehearsed-block.ts';

const stage = openClusterStage({ redis: 'standalone' });
const downstream = new ScriptedDownstream();
const page = 'docs/operating/runbooks/restore.md';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-restore-'));
  await writeFile(join(directory, 'trama'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
  await downstream.open();
});
afterAll(async () => {
  await downstream.close();
  await rm(directory, { recursive: true, force: true });
});

/** Runs the block of the page that begins so. */
function rehearse(beginning: string, env: Readonly<Record<string, string>>): Promise<string> {
  const path = `${directory}:${process.env['PATH'] ?? ''}`;
  return runBlock(page, beginning, { ...compileCache(), ...env, PATH: path, HOME: directory });
}

interface Reply {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function ask(url: string, verb: string, path: string, body?: unknown, headers: object = {}): Promise<Reply> {
  const answer = await fetch(url + path, {
    method: verb,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Reply['body'] };
}

/** What runs before and after the backup, and has to run again. */
class Rehearsal {
  readonly #saga: SagaBuilder;
  #id = '';
  #token = '';
  #lost = '';

  constructor(name: string) {
    this.#saga = new SagaBuilder(downstream.url, name);
  }

  /** One run waits for a callback. */
  async before(url: string): Promise<void> {
    const definition = this.#saga.graph([this.#saga.asyncTask('ask', { next: 'book' }), this.#saga.task('book')]);
    this.#id = (await ask(url, 'POST', '/workflows/run', { definition, payload: { n: 1 } })).body['id'] as string;
    const { body } = await downstream.arrival(`/${this.#saga.name}/ask`);
    this.#token = (JSON.parse(body) as { token: string }).token;
    await this.#until(url, 'WAITING_CALLBACK');
  }

  /** It goes on, and another run is accepted: the backup knows of neither. */
  async after(url: string): Promise<void> {
    await this.#goOn(url);
    const definition = this.#saga.linear(['late']);
    this.#lost = (await ask(url, 'POST', '/workflows/run', { definition, payload: {} })).body['id'] as string;
    await downstream.arrival(`/${this.#saga.name}/late`);
  }

  /** All of that on the restored store. */
  async restored(url: string): Promise<void> {
    await this.#until(url, 'WAITING_CALLBACK');
    expect((await ask(url, 'GET', `/workflows/${this.#lost}`)).status).toBe(404);
    await this.#goOn(url);
    const keys = downstream.calls(`/${this.#saga.name}/book`).map(({ key }) => key);
    // The call was repeated, under the key of the first time.
    expect(keys).toEqual([keys[0], keys[0]]);
    expect(downstream.calls(`/${this.#saga.name}/ask`)).toHaveLength(1);
  }

  async #goOn(url: string): Promise<void> {
    const path = `/workflows/${this.#id}/node/ask/callback`;
    const { status } = await ask(url, 'POST', path, {}, { 'x-callback-token': this.#token });
    expect(status).toBe(202);
    await this.#until(url, 'SUCCEEDED');
  }

  #until(url: string, status: string): Promise<void> {
    return until(async () => (await ask(url, 'GET', `/workflows/${this.#id}`)).body['status'] === status);
  }
}

describe('the restore', () => {
  it('of Postgres, from a dump that was taken while pods ran', async () => {
    const rehearsal = new Rehearsal('postgres');
    const env = { DATABASE_URL: stage.env['DATABASE_URL']!, BACKUP: join(directory, 'trama.dump') };
    const pods = await stage.start('a', 'b');
    await rehearsal.before(pods[0]!.url);
    await rehearse('pg_dump', env);
    await rehearsal.after(pods[1]!.url);
    await Promise.all(pods.map((pod) => pod.stop()));
    const restored = stage.postgres.url(await stage.postgres.createDatabase());
    await rehearse('pg_restore', { ...env, RESTORED_URL: restored });
    await stage.redis.admin.flushall();
    const pod = await stage.pod('c', { DATABASE_URL: restored });
    await pod.start();
    await rehearsal.restored(pod.url);
  });

  it('of an embedded store, from a copy of its directory', async () => {
    const rehearsal = new Rehearsal('embedded');
    const env = { DATA_DIR: join(directory, 'data'), BACKUP: join(directory, 'saved') };
    let server: TramaProcess | undefined;
    const serve = async (): Promise<string> => {
      server = startTrama(['serve', '--port', '0', '--data-dir', env.DATA_DIR]);
      return (await server.said(/"url":"([^"]+)".*"msg":"ready"/))[1]!;
    };
    const stop = async (): Promise<void> => {
      server?.child.kill('SIGTERM');
      expect((await server?.ended)?.code).toBe(0);
    };
    await rehearsal.before(await serve());
    await stop();
    await rehearse('cp -a', env);
    await rehearsal.after(await serve());
    await stop();
    await rehearse('if [ -e', env);
    await rehearsal.restored(await serve());
    await stop();
  });
});
