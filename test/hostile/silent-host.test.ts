/** A host that never answers takes its share of the places of a process and no more, however many calls to it there are. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Arena } from './arena.ts';

const places = 4;
/** Time for what a busy machine does in a moment. */
const patienceMillis = 10_000;
const arena = new Arena({ RUNTIME_WORKERCOUNT: String(places), MAINTENANCE_ENABLED: 'false' });

/** Calls that the silent host has not answered. */
const unanswered = new Set<ServerResponse>();
let isSilent = true;
const silent = createServer((_request, response) => {
  if (!isSilent) {
    response.end('{}');
    return;
  }
  unanswered.add(response);
  response.on('close', () => unanswered.delete(response));
});
const quick = createServer((_request, response) => response.end('{}'));
const urlOf = (server: Server): string => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
const listen = (server: Server): Promise<void> => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

beforeAll(async () => {
  await Promise.all([listen(silent), listen(quick), arena.open()]);
});
afterAll(async () => {
  await arena.close();
  for (const server of [silent, quick]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

interface Document {
  readonly status: string;
  readonly currentNodes: readonly { readonly state: string; readonly detail?: string }[];
}

interface Pod {
  readonly busyWorkers: number;
}

async function run(server: Server, steps: number, label: string): Promise<string> {
  const up = { url: `${urlOf(server)}/call`, verb: 'GET', timeoutMillis: 600_000 };
  const definition = {
    name: label,
    version: '1',
    steps: Array.from({ length: steps }, (_, i) => ({ name: `s${String(i)}`, up })),
  };
  const { status, body } = await arena.send('POST', '/workflows/run', { definition, labels: { of: label } });
  expect(status).toBe(200);
  return (body as { readonly id: string }).id;
}

async function inParallel<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let left = count;
  const lane = async (): Promise<void> => {
    while (left-- > 0) results.push(await work());
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  return results;
}

const show = async (id: string): Promise<Document> => (await arena.send('GET', `/workflows/${id}`)).body as Document;

/** Asks until the answer is the one that is wanted, or the patience is over; the last answer. */
async function until<T>(ask: () => Promise<T>, isWanted: (answer: T) => boolean, millis = patienceMillis): Promise<T> {
  const end = Date.now() + millis;
  for (;;) {
    const answer = await ask();
    if (isWanted(answer) || Date.now() > end) return answer;
    await pause(50);
  }
}

async function metric(series: string): Promise<number | undefined> {
  const text = (await arena.send('GET', '/metrics')).body as string;
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

const parked: string[] = [];

it.each([5, 40, 160])('leaves the others their places while %i more calls wait for it', async (calls) => {
  await arena.survives(async () => {
    parked.push(...(await inParallel(calls, () => run(silent, 1, 'silent'))));
    const others = await inParallel(20, () => run(quick, 3, 'quick'));
    for (const id of others) {
      expect(
        await until(
          () => show(id),
          ({ status }) => status === 'SUCCEEDED',
        ),
      ).toMatchObject({ status: 'SUCCEEDED' });
    }
    // Of all those that wait for a place none holds one for long.
    const waiting = parked.length - places / 2;
    expect(
      await until(
        () => metric('saga_places{cause="free"}'),
        (free) => free === places / 2,
      ),
    ).toBe(places / 2);
    expect(
      await until(
        () => metric('saga_blocked_calls{cause="slots"}'),
        (count) => count === waiting,
      ),
    ).toBe(waiting);
    expect(unanswered.size).toBe(places / 2);
  });
});

it('is named where people look', async () => {
  const { host } = new URL(urlOf(silent));
  const documents = await Promise.all(parked.slice(0, 30).map(show));
  const nodes = documents.flatMap(({ currentNodes }) => currentNodes).filter(({ state }) => state === 'BLOCKED');
  expect(nodes.length).toBeGreaterThan(0);
  for (const { detail } of nodes) expect(detail).toBe(`waits for a free place at ${host}: all 2 are taken`);
  const pod = async (): Promise<Pod> => {
    const { body } = await arena.send('GET', '/cluster');
    return (body as { readonly pods: readonly [Pod] }).pods[0];
  };
  // One that looks again holds a place for a moment.
  expect(await until(pod, ({ busyWorkers }) => busyWorkers === 2)).toMatchObject({
    busyWorkers: 2,
    places: { calling: 2, host: 0, loading: 0, store: 0, other: 0, free: 2 },
    fullHosts: [{ host: `http://${host}`, calls: 2, waiting: parked.length - 2 }],
  });
  expect((await arena.send('GET', '/readyz')).body).toBe('ready');
});

it('gets all calls that waited for it once it answers', async () => {
  isSilent = false;
  for (const response of unanswered) response.end('{}');
  const open = async (): Promise<number> => {
    const { body } = await arena.send('GET', '/workflows?label=of:silent&status=IN_PROGRESS&limit=200');
    return (body as readonly unknown[]).length;
  };
  expect(await until(open, (count) => count === 0)).toBe(0);
  expect(await metric('saga_blocked_calls{cause="slots"}')).toBe(0);
});
