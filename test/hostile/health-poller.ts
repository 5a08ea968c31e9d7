/**
 * A thread that asks a server's `/healthz` without pause: how long the server takes to answer says how long its event loop was
 * blocked. The time by which this thread itself ran late is taken off, since that is the machine's.
 */
import { get, Agent } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';

const { url } = workerData as { readonly url: string };
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const pauseMillis = 20;
const tickMillis = 10;

let longest = 0;
let failures = 0;
const ending = new AbortController();

/** By how much the timers of this thread have been late in all. */
let late = 0;
let tickedAt = performance.now();
const ticks = setInterval(() => {
  const now = performance.now();
  late += Math.max(0, now - tickedAt - tickMillis);
  tickedAt = now;
}, tickMillis);

/** Resolves to whether the server answered with 200. */
function ask(): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(`${url}/healthz`, { agent }, (response) => {
      response.resume().on('end', () => {
        resolve(response.statusCode === 200);
      });
    });
    request.on('error', () => {
      resolve(false);
    });
  });
}

parentPort?.on('message', () => {
  ending.abort();
});
while (!ending.signal.aborted) {
  const begun = performance.now();
  const lateBefore = late;
  if (!(await ask())) failures++;
  longest = Math.max(longest, performance.now() - begun - (late - lateBefore));
  await pause(pauseMillis);
}
clearInterval(ticks);
agent.destroy();
parentPort?.postMessage({ longest: Math.round(longest), failures });
parentPort?.close();
