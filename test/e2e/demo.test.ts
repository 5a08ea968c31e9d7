import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stories } from '../../src/cli/demo/stories.ts';
import { startTrama, trama, type TramaProcess } from './trama-process.ts';

let directory: string;
const processes: TramaProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-e2e-'));
  await mkdir(join(directory, 'tmp'));
});

afterEach(async () => {
  for (const { child, ended } of processes.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  await rm(directory, { recursive: true, force: true });
});

const leftBehind = async (): Promise<readonly string[]> =>
  (await readdir(join(directory, 'tmp'))).filter((name) => name.startsWith('trama-'));

/** Among variables that would keep a configured server from starting: the demo is the same everywhere. */
function startDemo(args: readonly string[]): TramaProcess {
  const env = { TMPDIR: join(directory, 'tmp'), DATABASE_URL: 'postgres://nowhere/x', PORT: 'x' };
  const demo = startTrama(['demo', ...args], env);
  processes.push(demo);
  return demo;
}

describe('trama demo', () => {
  it('runs every saga to its end, shows what happened, and leaves nothing behind', async () => {
    const { code, out, notes } = await startDemo([]).ended;
    expect([code, notes]).toEqual([0, '']);
    for (const [index, { title }] of stories.entries()) expect(out).toContain(`\n${index + 1}. ${title}\n`);
    expect(out).toContain(`\n${stories.length} of ${stories.length} sagas ended as expected`);
    // Reverse order, with the verb, the URL and the status of every call.
    expect(out).toMatch(
      /UP +ship +rejected \(422\) +PUT http\S+\/shipments\/A-2\n.* DOWN +pay +succeeded \(200\) .*\n.* DOWN +reserve +succeeded \(200\) +DELETE http\S+\/stock\/A-2\n/,
    );
    expect(out).toMatch(/UP +reserve attempt 3 +succeeded \(200\)/);
    expect(out).toMatch(/UP +pay attempt 2 +unknown .*\n.* DOWN +pay +succeeded \(200\)/);
    expect(out).toMatch(/CALLBACK +ask +succeeded\n.* SWITCH +decide +succeeded +Took approved to buy\./);
    expect(out).toMatch(/UP +hotel +succeeded .*\n.* JOIN +booked/);
    expect(out).toMatch(/SLEEP +try +succeeded +Woken early\./);
    expect(out).toContain('trama demo --keep');
    expect(await leftBehind()).toEqual([]);
  });

  it('keeps running when asked, with calls that work, until it is interrupted', async () => {
    const demo = startDemo(['--keep']);
    const [, url = ''] = await demo.said(/Trama's API: (\S+) /);
    const [, services = ''] = await demo.said(/The sample services: ([^\s;]+)/);
    const [, path = '', body = ''] = await demo.said(/curl -s '(\S+waitMillis=10000)' .*\n.*-d '(.*)'/);
    await demo.said(/Ctrl-C stops it/);
    expect(await (await fetch(`${url}/workflows?limit=50`)).json()).toHaveLength(stories.length);
    const headers = { 'content-type': 'application/json' };
    const run = await fetch(path, { method: 'POST', headers, body });
    expect(await run.json()).toMatchObject({ status: 'FAILED', reason: 'status_4xx', standing: [] });
    expect(Object.keys((await (await fetch(services)).json()) as object)).toContain('payments/A-1');

    // A saga of one's own, as the last lines say.
    const file = join(directory, 'own.json');
    const step = { name: 'greet', up: { url: '{{vars.SERVICES}}/greetings/1', verb: 'POST', body: { to: 'you' } } };
    await writeFile(file, JSON.stringify({ name: 'own', version: '1', steps: [step] }));
    const own = await trama(['run', file, '--url', url, '--wait']);
    expect([own.code, own.out]).toEqual([0, expect.stringContaining('result: {"id":"greetings/1"}')]);

    demo.child.kill('SIGINT');
    expect((await demo.ended).code).toBe(0);
    expect(await leftBehind()).toEqual([]);
  });

  it('stops in the middle when it is told to, which is no success', async () => {
    const demo = startDemo([]);
    await demo.said(/\n1\. /);
    demo.child.kill('SIGINT');
    const { code, out } = await demo.ended;
    expect(code).toBe(1);
    expect(out).not.toContain(`${stories.length}. `);
    expect(await leftBehind()).toEqual([]);
  });
});
