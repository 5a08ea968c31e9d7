/**
 * `trama promote` with a real Postgres: a directory with a thousand executions in every state is moved by processes, some of
 * them killed, and the server on Postgres must go on with all of them as if it had only been restarted.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trama, startTrama } from '../e2e/trama-process.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { Estate } from './promotion/estate.ts';

const scale = 1000;
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

const estate = new Estate(scale);
const { stage } = estate;

/** Executions that no worker can have looked at just before the kill. */
const moving = new Set(['just-answered', 'inflight', 'soon']);

let server: PostgresServer;
let copies: string;
let settled: string[];
/** Copies of the directory as the server left it. */
const directories = { killed: '', over: '', interrupted: '', refused: '', busy: '' };
let before: Awaited<ReturnType<Estate['document']>>;

beforeAll(async () => {
  server = await PostgresServer.create();
  copies = await mkdtemp(join(tmpdir(), 'trama-promote-'));
  await estate.fill();
  settled = [...estate.ids].flatMap(([name, ids]) => (moving.has(name) ? [] : ids));
  const documents = await estate.document(settled);
  await estate.killAfterCallbacks();
  // What moved by itself between the look and the kill was another one then.
  const killedAt = Date.now();
  settled = settled.filter((id) => Estate.nextMove(documents.get(id)) > killedAt);
  expect(settled.length).toBeGreaterThan(scale * 0.5);
  before = new Map([...documents].filter(([key]) => key.startsWith('/') || settled.includes(key)));
  for (const name of Object.keys(directories) as (keyof typeof directories)[]) {
    directories[name] = join(copies, name);
    await cp(stage.dataDir, directories[name], { recursive: true });
  }
}, 120_000);

afterAll(async () => {
  await estate.close();
  await server.remove();
  await rm(copies, { recursive: true, force: true });
});

const promote = (dataDir: string, to: string, ...more: readonly string[]): ReturnType<typeof trama> =>
  trama(['promote', '--data-dir', dataDir, '--to', to, ...more]);

const promoting = (dataDir: string, to: string): ReturnType<typeof startTrama> =>
  startTrama(['promote', '--data-dir', dataDir, '--to', to]);

/** Where the promotion into a target stands, as the target has it. */
async function targetMark(url: string): Promise<string> {
  const sql = "SELECT value FROM setting WHERE key = 'promotion.in'";
  // Before the schema is there, there is no table.
  const rows = await server.query(sql, url.split('/').at(-1)).catch(() => []);
  return rows[0] === undefined ? 'none' : (JSON.parse(rows[0]['value'] as string) as { phase: string }).phase;
}

async function untilMark(url: string, phase: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while ((await targetMark(url)) !== phase) {
    if (Date.now() > deadline) throw new Error(`The target was never marked ${phase}.`);
  }
}

async function startServerOn(url: string): Promise<ReturnType<typeof startTrama> & { readonly url: string }> {
  const there = startTrama(['serve', '--port', '0'], { DATABASE_URL: url });
  const [, at = ''] = await there.said(/"url":"([^"]+)".*"msg":"ready"/);
  return { ...there, url: at };
}

/** What the API shows is the same as before the move. */
async function expectSameContent(url: string): Promise<void> {
  Object.assign(estate.env, { DATABASE_URL: url, RUNTIME_ENABLED: 'false' });
  await stage.start();
  const after = await estate.document(settled);
  for (const [key, text] of before) expect([key, after.get(key)]).toEqual([key, text]);
}

/** Random numbers from a seed, so that a failure can be seen again. */
function* randoms(start: number): Generator<number, never> {
  let state = start >>> 0;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

describe('a directory that was promoted', () => {
  let url: string;

  beforeAll(async () => {
    url = server.url(await server.createDatabase());
  });

  it('is moved whole, and says so', async () => {
    const preview = await promote(stage.dataDir, url, '--dry-run', '--json');
    expect(preview).toMatchObject({ code: 0, notes: '' });
    const planned = JSON.parse(preview.out);
    expect(planned).toMatchObject({
      outcome: 'dry-run',
      objections: [],
      migrations: [
        '0001 initial schema',
        '0002 audit log',
        '0003 calls in the rows of their steps',
        '0004 ordered lists',
        '0005 callback keys',
        '0006 processes',
        '0007 listed outputs',
        '0008 pending hooks',
        '0009 lean history',
        '0010 families',
      ],
    });
    const done = await promote(stage.dataDir, url, '--json');
    expect(done.code).toBe(0);
    const report = JSON.parse(done.out);
    expect(report).toMatchObject({ outcome: 'promoted', counts: planned.counts, statuses: planned.statuses });
    expect(report.counts.execution).toBe(estate.all.length);
    expect(report.counts.execution).toBeGreaterThanOrEqual(scale);
    expect(report.counts.startKey).toBe(estate.all.length);
    expect(report.counts.definition).toBe(3);
  });

  it('says the same again, and changes nothing', async () => {
    const again = await promote(stage.dataDir, url, '--json');
    expect(again.code).toBe(0);
    expect(JSON.parse(again.out)).toMatchObject({ outcome: 'already' });
  });

  it('is not served any more, and the sentence names the target', async () => {
    const { code, notes } = await trama(['serve', '--port', '0', '--data-dir', stage.dataDir]);
    expect(code).toBe(1);
    expect(notes).toContain(`was promoted to ${url.replace('trama@', '')}`);
    const taken = await trama(['promote', '--take-back', '--data-dir', stage.dataDir, '--to', url]);
    expect(taken).toMatchObject({ code: 1 });
  });

  it('shows every execution and definition on Postgres as before', async () => {
    await expectSameContent(url);
  });

  it('answers callbacks and keys from before the move alike', async () => {
    await estate.repeatCallbacks();
    for (const name of estate.names) {
      const ids = estate.ids.get(name)!;
      const found = await Promise.all(ids.slice(0, 3).map((_, n) => estate.start(name, n)));
      expect(ids).toEqual(expect.arrayContaining(found));
      expect(new Set(found).size).toBe(found.length);
    }
    expect(await server.query('SELECT count(*)::int AS n FROM execution', url.split('/').at(-1))).toEqual([
      { n: estate.all.length },
    ]);
  });

  it('goes on with all of them', async () => {
    await stage.kill('SIGTERM');
    delete estate.env['RUNTIME_ENABLED'];
    await stage.start();
    await estate.finish();
    const ends = await estate.ends();
    expect(ends.filter(({ wanted, document }) => document.status !== wanted)).toEqual([]);
    expect(ends.length).toBe(estate.all.length);
    // What was in flight came again, under its key; nothing else did.
    const { downstream } = stage;
    for (const { group, document } of ends) {
      if (group !== 'inflight') continue;
      const keys = downstream.calls('/inflight/slow').filter(({ key }) => key.startsWith(document.id));
      expect(keys.map(({ key }) => key)).toEqual(Array.from({ length: 2 }, () => `${document.id}:1:slow:1:UP`));
    }
    expect(downstream.calls('/waiting/a').length).toBe(estate.ids.get('waiting')!.length);
  });
});

describe('a promotion that is killed again and again', () => {
  it(`moves everything all the same (SEED=${seed})`, async () => {
    const url = server.url(await server.createDatabase());
    const random = randoms(seed);
    const start = (): ReturnType<typeof startTrama> =>
      startTrama(['promote', '--data-dir', directories.killed, '--to', url, '--json']);
    const points: string[] = [];
    while (points.length < 6) {
      const { child, ended } = start();
      const millis = 300 + random.next().value * 2500;
      const timer = setTimeout(() => child.kill('SIGKILL'), millis);
      const { code, notes } = await ended;
      clearTimeout(timer);
      points.push(`${Math.round(millis)} ms: ${code ?? (await targetMark(url))}`);
      expect([code, notes]).toEqual([code === 0 ? 0 : null, expect.any(String)]);
      if (code === 0) break;
    }
    const { code, out, notes } = await start().ended;
    expect([code, notes]).toEqual([0, expect.not.stringContaining('Error')]);
    expect([JSON.parse(out).counts.execution, points]).toEqual([estate.all.length, points]);
    await stage.kill('SIGTERM');
    await expectSameContent(url);
  });

  it('was over as soon as the target had taken over', async () => {
    const url = server.url(await server.createDatabase());
    const { child, ended } = promoting(directories.over, url);
    await untilMark(url, 'done');
    child.kill('SIGKILL');
    await ended;
    // A server may work there already: what it does must not be undone.
    await server.query("UPDATE execution SET status = 'TERMINATED', due_at = NULL", url.split('/').at(-1));
    const again = await promote(directories.over, url, '--json');
    expect([again.code, JSON.parse(again.out).outcome]).toEqual([0, 'already']);
    expect(await server.query('SELECT DISTINCT status FROM execution', url.split('/').at(-1))).toEqual([
      { status: 'TERMINATED' },
    ]);
  });
});

describe('a promotion that was interrupted', () => {
  let url: string;

  beforeAll(async () => {
    url = server.url(await server.createDatabase());
    const { child, ended } = promoting(directories.interrupted, url);
    await untilMark(url, 'copying');
    child.kill('SIGKILL');
    await ended;
  });

  it('keeps servers off both sides, and says what to do', async () => {
    const here = await trama(['serve', '--port', '0', '--data-dir', directories.interrupted]);
    expect(here.code).toBe(1);
    expect(here.notes).toMatch(/is being promoted to .*Finish it with .*--take-back/s);
    const there = await trama(['serve', '--port', '0'], { DATABASE_URL: url });
    expect(there.code).toBe(1);
    expect(there.notes).toContain('is being promoted into this database');
  });

  it('goes nowhere else', async () => {
    const other = server.url(await server.createDatabase());
    const { code, notes } = await promote(directories.interrupted, other);
    expect(code).toBe(1);
    expect(notes).toContain('is another database');
  });

  it('can be taken back, and promoted elsewhere then', async () => {
    const back = await trama(['promote', '--take-back', '--data-dir', directories.interrupted, '--to', url]);
    expect(back).toMatchObject({ code: 0, notes: '' });
    expect(await server.query('SELECT count(*)::int AS n FROM execution', url.split('/').at(-1))).toEqual([{ n: 0 }]);
    const other = server.url(await server.createDatabase());
    expect(await promote(directories.interrupted, other, '--dry-run')).toMatchObject({ code: 0 });
    const there = await startServerOn(url);
    there.child.kill();
    expect(await there.ended).toMatchObject({ code: 0 });
  });
});

describe('a promotion is refused, and changes nothing,', () => {
  const dataDir = (): string => directories.refused;

  afterAll(async () => {
    const { code, out } = await promote(dataDir(), server.url(await server.createDatabase()), '--dry-run');
    expect([code, out]).toEqual([0, expect.stringContaining('Nothing prevents it.')]);
  });

  it('where a server runs on the target, and where that has executions of its own', async () => {
    const url = server.url(await server.createDatabase());
    const there = await startServerOn(url);
    const definition = stage.saga('other').graph([{ kind: 'sleep', id: 'nap', durationMillis: 60_000 }]);
    const answer = await fetch(`${there.url}/workflows/run`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ definition }),
    });
    expect(answer.status).toBe(200);
    // The one waits for a while that the server goes. A server starts on its directory below: nothing has changed there.
    const [looked, tried] = await Promise.all([promote(dataDir(), url, '--dry-run'), promote(directories.busy, url)]);
    expect([looked.code, looked.out]).toEqual([1, expect.stringContaining('Other Trama processes are connected')]);
    expect([tried.code, tried.notes]).toEqual([1, expect.stringContaining('Stop its servers first')]);
    there.child.kill();
    await there.ended;
    const { code, notes } = await promote(dataDir(), url);
    expect([code, notes]).toEqual([1, expect.stringContaining('The target holds executions of its own')]);
  });

  it('where the target has another definition of the same name', async () => {
    const url = server.url(await server.createDatabase());
    const there = await startServerOn(url);
    const answer = await fetch(`${there.url}/workflows/definitions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...stage.saga('stored').linear(['other']), version: '2' }),
    });
    expect(answer.status).toBeLessThan(300);
    there.child.kill();
    await there.ended;
    const { code, notes } = await promote(dataDir(), url);
    expect([code, notes]).toEqual([1, expect.stringContaining('another definition stored 2')]);
  });

  it('where the target cannot be reached, and the password stays a secret', async () => {
    const { code, notes } = await promote(dataDir(), 'postgres://trama:sesame@127.0.0.1:1/nowhere');
    expect([code, notes]).toEqual([2, expect.stringContaining('Postgres cannot answer')]);
    expect(notes).not.toContain('sesame');
  });

  it('while a server runs on the directory', async () => {
    const there = startTrama(['serve', '--port', '0', '--data-dir', directories.busy]);
    await there.said(/"msg":"ready"/);
    const { code, notes } = await promote(directories.busy, server.url('postgres'));
    expect([code, notes]).toEqual([1, expect.stringContaining('in use by another Trama process')]);
    there.child.kill();
    await there.ended;
  });

  it('where there is no directory, or the URL is not of Postgres', async () => {
    expect(await promote(join(copies, 'nothing'), server.url('postgres'))).toMatchObject({ code: 1 });
    expect(await promote(dataDir(), 'mysql://127.0.0.1/x')).toMatchObject({ code: 2 });
  });
});
