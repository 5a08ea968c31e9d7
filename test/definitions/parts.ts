/** Sound parts from which tests put definitions together. */
import type { JsonObject } from '../../src/core/value/json.ts';

/** A call that reads. */
export const call: JsonObject = { url: 'http://shop.example/a', verb: 'GET' };

/** A graph that begins at its first node. */
export const graph = (...nodes: JsonObject[]): JsonObject => ({
  name: 'order',
  version: '1',
  entrypoint: nodes[0]?.['id'] ?? 'missing',
  nodes,
});

/** A sync task. */
export const task = (id: string, changes: JsonObject = {}): JsonObject => ({
  kind: 'task',
  id,
  action: { mode: 'sync', request: call },
  ...changes,
});
