import { startWorker } from '../platform/trusted-scripts.ts';
// Vite makes the address its default export.
// oxlint-disable-next-line import/default
import workerUrl from './graph.worker.ts?worker&url';
import type { Drawn } from './model.ts';

let worker: Worker | undefined;
let asked = 0;
const waiting = new Map<number, (drawn: Drawn) => void>();

function theWorker(): Worker {
  if (worker !== undefined) return worker;
  worker = startWorker(workerUrl);
  worker.addEventListener('message', ({ data }: MessageEvent<{ readonly id: number; readonly drawn: Drawn }>) => {
    waiting.get(data.id)?.(data.drawn);
    waiting.delete(data.id);
  });
  worker.addEventListener('error', () => {
    for (const answer of waiting.values())
      answer({ ok: false, errors: ['The worker that draws graphs could not be started.'] });
    waiting.clear();
  });
  return worker;
}

/** Reads a definition with the engine's core and lays out its graph, in a worker that all calls share. */
export function drawGraph(text: string): Promise<Drawn> {
  const id = ++asked;
  const { promise, resolve } = Promise.withResolvers<Drawn>();
  waiting.set(id, resolve);
  theWorker().postMessage({ id, text });
  return promise;
}
