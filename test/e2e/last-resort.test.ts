/** Unhandled errors: a module that is loaded beside the server throws them when the test says so. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempts, Stage } from './stage/stage.ts';
import { startTrama } from './trama-process.ts';

const secret = 'v3ry-s3cret-value';

/** The message goes through both ways of an error: thrown out of an event, and rejected. */
const thrower = `
import { isMainThread } from 'node:worker_threads';
const fail = () => { throw new Error('unexpected ${secret}', { cause: new Error('the cause') }); };
if (isMainThread) {
  process.on('SIGUSR2', fail);
  process.on('SIGHUP', () => void (async () => fail())());
}
`;

let directory: string;
let stage: Stage;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-last-'));
  const file = join(directory, 'thrower.mjs');
  await writeFile(file, thrower);
  env = { NODE_OPTIONS: `--import=${pathToFileURL(file).href}`, TRAMA_SECRET_KEY: secret };
  stage = new Stage({ ...env, REDIS_QUEUE_CONSUMER_PROCESSINGTIMEOUTMILLIS: '1000' });
  await stage.open();
});
afterAll(async () => {
  await stage.close();
  await rm(directory, { recursive: true, force: true });
});

const fatalLines = (out: string): readonly Record<string, unknown>[] =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ level }) => level === 'fatal');

/** One line, in the log's own format, with everything that helps and no secret. */
function expectLastWords(out: string, notes: string): void {
  expect(fatalLines(out)).toEqual([
    {
      level: 'fatal',
      time: expect.any(String),
      error: 'unexpected ***',
      stack: expect.stringMatching(
        /^Error: unexpected \*\*\*\n +at [\s\S]*thrower\.mjs[\s\S]*caused by Error: the cause/,
      ),
      msg: 'an unhandled error ends the process',
    },
  ]);
  expect(out).not.toContain(secret);
  expect(notes).toBe('');
}

describe('a server', () => {
  it.each(['SIGUSR2', 'SIGHUP'] as const)('drains and exits with 70 after an error (%s)', async (signal) => {
    const name = `broken-${signal}`;
    const answer = Promise.withResolvers<undefined>();
    stage.downstream.script(`/${name}/a`, { after: answer.promise });
    const id = await stage.run(stage.saga(name).linear(['a', 'b']));
    await stage.downstream.arrival(`/${name}/a`);
    const { process } = stage;
    process.child.kill(signal);
    await process.said(/stopping: no more claims/);
    answer.resolve(undefined);
    const { code, out, notes } = await process.ended;
    expect(code).toBe(70);
    expectLastWords(out, notes);
    expect(out).toContain('"msg":"closed"');
    await stage.start();
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
    expect(attempts(await stage.calls(id))).toEqual(['a UP 1 succeeded', 'b UP 1 succeeded']);
  });

  it('waits for no call that takes too long, nor says twice that it ends', async () => {
    stage.downstream.script('/stuck/a', { after: new Promise(() => undefined) }, {});
    const id = await stage.run(stage.saga('stuck').linear(['a']));
    await stage.downstream.arrival('/stuck/a');
    const { process } = stage;
    process.child.kill('SIGUSR2');
    await process.said(/stopping: no more claims/);
    process.child.kill('SIGHUP');
    const { code, out, notes } = await process.ended;
    expect(code).toBe(70);
    expectLastWords(out, notes);
    await stage.start();
    // The call counts as one whose answer is not known, like any that a process left behind.
    expect(await stage.untilEnd(id)).toMatchObject({ status: 'SUCCEEDED' });
  });

  it('does so while it starts, too', async () => {
    const starting = startTrama(['serve', '--port', '0'], { ...env, DATABASE_URL: 'postgres://127.0.0.1:1/none' });
    await starting.said(/the store is away/);
    starting.child.kill('SIGUSR2');
    const { code, out, notes } = await starting.ended;
    expect(code).toBe(70);
    expectLastWords(out, notes);
  });
});

describe('commands', () => {
  it('with a server of their own, whose log is silent, say one sentence and leave nothing behind', async () => {
    const own = await mkdtemp(join(directory, 'tmp-'));
    stage.downstream.script('/alone/a', { after: new Promise(() => undefined) });
    const file = join(directory, 'alone.json');
    await writeFile(file, JSON.stringify(stage.saga('alone').linear(['a'])));
    const run = startTrama(['run', file], { ...env, TMPDIR: own });
    await stage.downstream.arrival('/alone/a');
    run.child.kill('SIGHUP');
    const { code, notes } = await run.ended;
    expect(code).toBe(70);
    expect(notes).toMatch(/^An unhandled error ends the process: unexpected \*\*\*$/m);
    expect(notes).not.toMatch(/^ +at /m);
    expect((await readdir(own)).filter((name) => name.startsWith('trama-'))).toEqual([]);
  });

  it('without a server say one sentence', async () => {
    const file = join(directory, 'mocked.json');
    await writeFile(file, JSON.stringify(stage.saga('mocked').linear(['a'])));
    const mock = startTrama(['mock', file, '--port', '0'], env);
    await mock.said(/http:/);
    mock.child.kill('SIGUSR2');
    const { code, notes } = await mock.ended;
    expect(code).toBe(70);
    expect(notes).toMatch(/^An unhandled error ends the command: unexpected .*\n$/m);
    expect(notes).not.toMatch(/^ +at /m);
  });
});
