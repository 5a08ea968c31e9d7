/** Runs the engine's core and the layout off the main thread. It holds nothing: each message is answered by itself. */
import { parseJson } from '../../../src/core/value/json.ts';
import { layOut } from './lay-out.ts';
import type { Drawn } from './model.ts';
import { readGraph } from './read-graph.ts';

function draw(text: string): Drawn {
  try {
    const read = readGraph(parseJson(text));
    return read.ok ? { ok: true, graph: layOut(read) } : { ok: false, errors: read.errors };
  } catch (error) {
    return { ok: false, errors: [error instanceof Error ? error.message : String(error)] };
  }
}

addEventListener('message', ({ data }: MessageEvent<{ readonly id: number; readonly text: string }>) => {
  postMessage({ id: data.id, drawn: draw(data.text) });
});
