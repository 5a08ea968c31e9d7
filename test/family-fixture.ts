import { graph, type RuntimeFixture } from './runtime-fixture.ts';
import { stringifyJson, type JsonObject } from '../src/core/value/json.ts';

/** A `workflow` node that starts the definition `child`. */
export function workflow(id: string, more: JsonObject = {}): JsonObject {
  return { kind: 'workflow', id, definition: { name: 'child', version: 'latest' }, ...more };
}

const once = { type: 'retry', maxAttempts: 0, delayMillis: 1 };

/** The definition of a parent. */
export const parent = (...nodes: JsonObject[]): JsonObject => graph(nodes, { name: 'parent' });

/** The definition that {@link workflow} starts. */
export const child = (...nodes: JsonObject[]): JsonObject =>
  graph(nodes, { name: 'child', compensationHandling: once });

/** Stores a definition, as the API does. */
export async function storeDefinition(fixture: RuntimeFixture, definition: JsonObject): Promise<void> {
  const compiled = fixture.plans.compile(definition);
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  const { name, version, hash } = compiled.plan;
  const now = fixture.clock.now();
  const id = fixture.entropy.uuid(now);
  const text = stringifyJson(definition);
  await fixture.store.putDefinition({ id, name, version, hash, definition: text, createdAt: now, updatedAt: now });
}

/** The executions that one started, the first one first. */
export async function childrenOf(fixture: RuntimeFixture, id: string) {
  const { items } = await fixture.store.listExecutions({ parent: id }, { order: 'asc', limit: 100 });
  return items;
}
