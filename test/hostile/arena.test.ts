/** What the arena measures is what happens: a server whose event loop stands still is found out. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Arena, longestGapMillis, pollHealth } from './arena.ts';

const arena = new Arena();
beforeAll(() => arena.open());
afterAll(() => arena.close());

it('finds an unharmed server well', async () => {
  const answer = await arena.survives(async () => {
    await pause(300);
    return arena.send('GET', '/healthz');
  });
  expect(answer.status).toBe(200);
});

it('finds a server that stood still', async () => {
  // In a thread of its own, which stands still for longer than is allowed.
  const blocked = new Worker(
    `const { createServer } = require('node:http');
     const { parentPort } = require('node:worker_threads');
     const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
     setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${String(2 * longestGapMillis)}), 500);`,
    { eval: true },
  );
  try {
    const port = await new Promise<number>((resolve, reject) => {
      blocked.once('message', resolve).once('error', reject);
    });
    const stop = pollHealth(`http://127.0.0.1:${String(port)}`);
    await pause(500 + 2 * longestGapMillis + 500);
    expect((await stop()).longest).toBeGreaterThan(1.5 * longestGapMillis);
  } finally {
    await blocked.terminate();
  }
});

it('counts a server that answers with trouble', async () => {
  const server = createServer((_request, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = pollHealth(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
  await pause(300);
  expect((await stop()).failures).toBeGreaterThan(0);
  await new Promise((resolve) => server.close(resolve));
});
