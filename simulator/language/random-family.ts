import type { Json, JsonObject } from '../../src/core/value/json.ts';
import type { Random } from '../random.ts';
import { randomDefinition, randomDefinitionHost, type DefinitionShape } from '../random-definition.ts';

/** Stored definitions that nodes start, the one that starts no others first. */
const childNames = ['leaf', 'inner'] as const;

/** Definitions for the nodes of {@link withLoopsAndChildren}: they are stored before any execution begins. */
export function randomChildren(random: Random, shape: DefinitionShape): readonly JsonObject[] {
  const small: DefinitionShape = { ...shape, length: 2, depth: 1 };
  return childNames.map((name, level) => {
    const made = { ...randomDefinition(random, small), name };
    // A family is at most three deep, so that its runs stay few.
    return withLoopsAndChildren(random, made, { maxBlocks: 1, children: childNames.slice(0, level) });
  });
}

/** What {@link withLoopsAndChildren} may add. */
interface Additions {
  readonly maxBlocks: number;
  /** Names of stored definitions. */
  readonly children: readonly string[];
}

/** What executions of {@link withLoopsAndChildren} may start. */
export const allAdditions: Additions = { maxBlocks: 2, children: childNames };

/**
 * A definition that begins with computed values, loops over items, the first of several branches, or nodes that start other executions, and
 * goes on as the given one.
 */
export function withLoopsAndChildren(random: Random, definition: JsonObject, additions: Additions): JsonObject {
  const builder = new Builder(random, additions);
  let entry = definition['entrypoint'] as string;
  const blocks = random.int(0, additions.maxBlocks);
  for (let i = 0; i < blocks; i++) entry = builder.block(entry);
  const nodes = definition['nodes'] as readonly Json[];
  return { ...definition, entrypoint: entry, nodes: [...nodes, ...builder.nodes] };
}

class Builder {
  readonly nodes: JsonObject[] = [];
  readonly #random: Random;
  readonly #additions: Additions;
  #ids = 0;

  constructor(random: Random, additions: Additions) {
    this.#random = random;
    this.#additions = additions;
  }

  /** Adds a part that continues at `next`; returns its entry. */
  block(next: string): string {
    const kind = this.#random.next();
    const { children } = this.#additions;
    if (kind < 0.4) return this.#each(next, 1);
    if (kind < 0.7 && children.length > 0) return this.#start(next);
    if (kind < 0.92) return this.#first(next);
    return this.#set(next);
  }

  #id(prefix: string): string {
    return `${prefix}${String(++this.#ids)}`;
  }

  #add(node: JsonObject & { readonly id: string }, next?: string): string {
    this.nodes.push(next === undefined ? node : { ...node, next });
    return node.id;
  }

  #each(next: string | undefined, depth: number): string {
    const random = this.#random;
    const id = this.#id('e');
    return this.#add(
      {
        kind: 'forEach',
        id,
        items: { $logic: { range: [0, random.int(0, 4)] } },
        entry: this.#body(depth),
        maxConcurrency: random.int(1, 3),
        ...(random.chance(0.5) ? { onItemFailure: 'continue' } : undefined),
        ...(random.chance(0.2) && next !== undefined ? { onFailure: next } : undefined),
        ...(random.chance(0.3) ? { collect: random.chance(0.5) ? false : '{{item}}' } : undefined),
      },
      next,
    );
  }

  /** The body of a loop: a call, and often something after it. */
  #body(depth: number): string {
    const kind = this.#random.next();
    const { children } = this.#additions;
    const after =
      kind < 0.3
        ? this.#task(undefined)
        : kind < 0.45
          ? this.#add({ kind: 'sleep', id: this.#id('y'), durationMillis: this.#random.int(1, 400) })
          : kind < 0.6 && children.length > 0
            ? this.#start(undefined)
            : kind < 0.7 && depth > 0
              ? this.#each(undefined, depth - 1)
              : undefined;
    return this.#task(after);
  }

  #first(next: string): string {
    const random = this.#random;
    const join = this.#add({ kind: 'join', id: this.#id('q'), mode: 'first' }, next);
    const branches = Array.from({ length: random.int(2, 3) }, () => {
      const last = random.chance(0.4) ? this.#task(join) : join;
      return random.chance(0.3)
        ? this.#add({ kind: 'sleep', id: this.#id('y'), durationMillis: random.int(1, 400) }, this.#task(last))
        : this.#task(last);
    });
    return this.#add({ kind: 'split', id: this.#id('x'), branches, join });
  }

  #start(next: string | undefined): string {
    const random = this.#random;
    return this.#add(
      {
        kind: 'workflow',
        id: this.#id('w'),
        definition: { name: random.pick(this.#additions.children), version: 'latest' },
        payload: { order: '{{payload.order}}', flag: '{{payload.flag}}' },
        ...(random.chance(0.15) ? { wait: false } : undefined),
        ...(random.chance(0.15) ? { timeoutMillis: random.int(50, 3_000) } : undefined),
        ...(random.chance(0.15) ? { compensation: 'none' } : undefined),
        ...(random.chance(0.15) && next !== undefined && !next.startsWith('q') ? { onFailure: next } : undefined),
      },
      next,
    );
  }

  #set(next: string): string {
    const body = { when: { $logic: { now: [] } }, which: { $logic: { uuid: [] } } };
    return this.#add({ kind: 'set', id: this.#id('v'), body }, next);
  }

  #task(next: string | undefined): string {
    const random = this.#random;
    const id = this.#id('u');
    const request = (way: string): JsonObject => ({
      url: `http://${randomDefinitionHost(0)}/${id}/${way}`,
      verb: 'POST',
      body: { order: '{{payload.order}}', node: '{{stepName}}' },
    });
    return this.#add(
      {
        kind: 'task',
        id,
        action: { mode: 'sync', request: request('up') },
        ...(random.chance(0.8) ? { compensation: request('down') } : undefined),
      },
      next,
    );
  }
}
