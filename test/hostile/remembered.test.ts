/** What comes from outside under ever new names (secrets, hosts, definitions, nodes) is remembered in bounds, and costs those after it nothing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Arena } from './arena.ts';

let directory: string;
let arena: Arena;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'trama-secrets-'));
  await writeFile(join(directory, 'REAL'), 'a real secret');
  arena = new Arena({ TRAMA_SECRETS_DIR: directory });
  await arena.open();
});
afterAll(async () => {
  await arena.close();
  await rm(directory, { recursive: true, force: true });
});

const list = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

/** Starts a run that ends by itself; answers its status. */
async function run(definition: object, payload: unknown = {}): Promise<string> {
  const started = await arena.send('POST', '/workflows/run?waitMillis=30000', { definition, payload });
  expect(started.status).toBeLessThan(300);
  return (started.body as { status: string }).status;
}

const failing = { type: 'retry', maxAttempts: 0, delayMillis: 0 };
const steps = (name: string, ...calls: readonly object[]): object => ({
  name,
  version: '1',
  failureHandling: failing,
  steps: calls.map((up, i) => ({ name: `${name}-${String(i)}`, up })),
});

/** Milliseconds of the fastest of ten small requests. */
async function answersIn(): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < 10; i++) {
    const begun = performance.now();
    await arena.send('GET', '/workflows?limit=1');
    best = Math.min(best, performance.now() - begun);
  }
  return best;
}

it('names of secrets that have no file do not slow what comes after them', async () => {
  const before = await answersIn();
  await arena.survives(async () => {
    for (let round = 0; round < 10; round++) {
      // A section asks for a name that nothing is behind, and goes on.
      const body = list(3000, (i) => {
        const name = `secrets.made-up-${String(round)}-${String(i)}`;
        return `{{^${name}}}.{{/${name}}}`;
      }).join('');
      expect(await run(steps(`secrets${String(round)}`, { url: 'http://127.0.0.1:9/', verb: 'POST', body }))).toBe(
        'FAILED',
      );
    }
  });
  // Runs like these made it some hundred times what it was.
  expect(await answersIn()).toBeLessThan(20 * before + 20);
});

it('large definitions are not all kept, however many come', async () => {
  const cases = (round: number): object[] =>
    list(3500, (i) => ({ when: { '==': [{ var: 'payload.a' }, round * 10_000 + i] }, target: 'z' }));
  await arena.survives(async () => {
    for (let round = 0; round < 12; round++) {
      const status = await run({
        name: 'wide',
        version: String(round),
        entrypoint: 'a',
        nodes: [
          { id: 'a', kind: 'switch', cases: cases(round), default: 'z' },
          { id: 'z', kind: 'fail', reason: 'no' },
        ],
      });
      expect(status).toBe('FAILED');
    }
  });
});

it.each([1200])('%d unknown hosts are forgotten again', async (count) => {
  await arena.survives(async () => {
    for (let i = 0; i < count; i += 100) {
      const calls = list(100, (n) => ({
        url: `http://127.${String(1 + Math.floor((i + n) / 250))}.0.${String(1 + ((i + n) % 250))}:9/`,
        verb: 'GET',
      }));
      const nodes = calls.map((request, n) => ({
        id: `n${String(n)}`,
        kind: 'task',
        action: { mode: 'sync', request },
        failureHandling: failing,
        ...(n < 99 ? { onFailure: `n${String(n + 1)}`, next: `n${String(n + 1)}` } : { onFailure: 'z' }),
      }));
      const end = { id: 'z', kind: 'sleep', durationMillis: 1 };
      await run({ name: 'hosts', version: '1', entrypoint: 'n0', nodes: [...nodes, end] });
    }
  });
  const metrics = (await arena.send('GET', '/metrics')).body as string;
  expect(
    metrics.split('\n').filter((line) => line.startsWith('saga_http_call') && line.includes('_count')).length,
  ).toBeLessThan(500);
});

it('a definition is refused in no long time, whatever is wrong with it', async () => {
  await arena.survives(async () => {
    const base = { name: 'x', version: '1', entrypoint: 'a' };
    const task = (body: unknown): object => ({
      id: 'a',
      kind: 'task',
      action: { mode: 'sync', request: { url: 'http://127.0.0.1:9/', verb: 'POST', body } },
    });
    const broken: readonly object[] = [
      { ...base, nodes: [{ id: 'a', kind: 'split', branches: list(8000, (i) => `b${String(i)}`), join: 'j' }] },
      { ...base, nodes: [task({ ['k'.repeat(120_000)]: list(5000, () => '{{a}}') })] },
      { ...base, nodes: list(5000, () => ({})) },
      { ...base, nodes: [task('{{}}'.repeat(5000))] },
    ];
    for (const definition of broken) {
      const { status } = await arena.send('POST', '/workflows/definitions/validate', definition);
      expect([200, 400]).toContain(status);
    }
  });
});
