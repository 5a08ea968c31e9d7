import type { Json, JsonObject } from '../src/core/value/json.ts';
import type { Random } from './random.ts';

/** What to generate. */
export interface DefinitionShape {
  /** Blocks in a sequence, at most. */
  readonly length: number;
  /** Nesting of splits and switches, at most. */
  readonly depth: number;
  /** Longest wait of any kind, in milliseconds. */
  readonly maxWaitMillis: number;
  /** Downstream hosts among which the tasks are shared out; one by default. */
  readonly hosts?: number;
}

/** The base of call URLs: `<base>/<node id>/up` and `/down`, hooks at `<base of the first host>/hook/<name>`. */
function baseOf(host: number): string {
  return `http://${randomDefinitionHost(host)}`;
}

/** The name of a downstream host of random definitions, from 0. */
export function randomDefinitionHost(host: number): string {
  return host === 0 ? 'downstream.test' : `downstream-${String(host)}.test`;
}

type Node = Record<string, Json>;

/**
 * Generates valid definitions at random: tasks of both modes, switches, loops, sleeps, nested splits, failure routes,
 * hooks and timeouts. For property tests and the simulator. Loops end after at most three rounds.
 */
export function randomDefinition(random: Random, shape: DefinitionShape): JsonObject {
  const builder = new Builder(random, shape);
  const entrypoint = builder.sequence(shape.depth, undefined, true);
  return {
    name: 'random',
    version: '1',
    entrypoint,
    nodes: builder.nodes,
    failureHandling: builder.policy(),
    compensationHandling: { type: 'retry', maxAttempts: random.int(0, 6), delayMillis: random.int(1, 500) },
    ...(random.chance(0.15) ? { timeoutMillis: random.int(50, shape.maxWaitMillis) } : undefined),
    ...(random.chance(0.2) ? { onSuccessCallback: builder.hook('onSuccessCallback') } : undefined),
    ...(random.chance(0.2) ? { onFailureCallback: builder.hook('onFailureCallback') } : undefined),
  };
}

class Builder {
  readonly nodes: Node[] = [];
  readonly #random: Random;
  readonly #shape: DefinitionShape;
  #ids = 0;
  #seen: string[] = [];

  constructor(random: Random, shape: DefinitionShape) {
    this.#random = random;
    this.#shape = shape;
  }

  /** Adds a chain of blocks that continues at `next`; returns its entry. */
  sequence(depth: number, next: string | undefined, top: boolean = false): string {
    const random = this.#random;
    const count = random.int(1, this.#shape.length);
    let entry = next;
    for (let i = 0; i < count; i++) entry = this.#block(depth, entry);
    if (entry === undefined || (top && entry === next)) return this.#task(next);
    return entry;
  }

  #block(depth: number, next: string | undefined): string {
    const kind = this.#random.next();
    if (depth > 0 && kind < 0.15) return this.#split(depth, next);
    if (depth > 0 && kind < 0.27) return this.#switch(depth, next);
    if (kind < 0.35) return this.#sleep(next);
    if (kind < 0.45) return this.#loop(next);
    return this.#task(next);
  }

  #id(prefix: string): string {
    return `${prefix}${String(++this.#ids)}`;
  }

  #add(node: Node, next?: string): string {
    this.nodes.push(next === undefined ? node : { ...node, next });
    return node['id'] as string;
  }

  policy(): JsonObject {
    const random = this.#random;
    const maxAttempts = random.int(0, 3);
    const wait = random.int(0, Math.min(2_000, this.#shape.maxWaitMillis));
    return random.chance(0.5)
      ? { type: 'retry', maxAttempts, delayMillis: wait }
      : { type: 'backoff', maxAttempts, initialDelayMillis: wait, maxDelayMillis: wait * 4, jitterRatio: 0.2 };
  }

  hook(name: string): JsonObject {
    return { url: `${baseOf(0)}/hook/${name}`, verb: 'POST', body: { id: '{{sagaId}}' } };
  }

  #request(id: string, way: 'up' | 'down', async: boolean): JsonObject {
    const random = this.#random;
    const verb = way === 'down' || random.chance(0.8) ? random.pick(['POST', 'PUT', 'PATCH', 'DELETE']) : 'GET';
    const reads = this.#seen.length > 0 && random.chance(0.5) ? random.pick(this.#seen) : undefined;
    return {
      url: `${baseOf(Number(id.slice(1)) % (this.#shape.hosts ?? 1))}/${id}/${way}`,
      verb,
      ...(verb === 'GET'
        ? undefined
        : {
            body: {
              order: '{{payload.order}}',
              node: '{{stepName}}',
              ...(reads === undefined ? undefined : { read: `{{nodes.${reads}.response.body}}` }),
              ...(async ? { callback: '{{runtime.callback.signedUrl}}' } : undefined),
            },
          }),
    };
  }

  #task(next: string | undefined, id: string = this.#id('t')): string {
    const random = this.#random;
    const async = random.chance(0.25);
    const node: Node = {
      kind: 'task',
      id,
      action: {
        mode: async ? 'async' : 'sync',
        request: this.#request(id, 'up', async),
        ...(async ? { callback: this.#callback() } : undefined),
      },
      ...(random.chance(0.75) ? { compensation: this.#request(id, 'down', false) } : undefined),
      ...(random.chance(0.4) ? { compensateWhen: random.pick(['completed', 'unknown', 'attempted']) } : undefined),
      ...(random.chance(0.4) ? { failureHandling: this.policy() } : undefined),
      ...(next !== undefined && !next.startsWith('j') && random.chance(0.15) ? { onFailure: next } : undefined),
    };
    this.#seen.push(id);
    return this.#add(node, next);
  }

  #callback(): JsonObject {
    const random = this.#random;
    return {
      timeoutMillis: random.int(20, this.#shape.maxWaitMillis),
      ...(random.chance(0.5)
        ? {
            successWhen: { '==': [{ var: 'callback.body.ok' }, true] },
            failureWhen: { '==': [{ var: 'callback.body.ok' }, false] },
          }
        : undefined),
      ...(random.chance(0.3) ? { pendingWhen: { '==': [{ var: 'callback.body.pending' }, true] } } : undefined),
    };
  }

  #sleep(next: string | undefined): string {
    return this.#add(
      { kind: 'sleep', id: this.#id('z'), durationMillis: this.#random.int(1, this.#shape.maxWaitMillis) },
      next,
    );
  }

  #switch(depth: number, next: string | undefined): string {
    const random = this.#random;
    const id = this.#id('s');
    const left = this.sequence(depth - 1, next);
    const right = next !== undefined && random.chance(0.3) ? next : this.sequence(depth - 1, next);
    const third = random.chance(0.2)
      ? [
          {
            when: { '==': [{ var: 'payload.flag' }, 2] },
            target: this.#add({ kind: 'fail', id: this.#id('f'), reason: 'Flag {{payload.flag}}.' }),
          },
        ]
      : [];
    return this.#add({
      kind: 'switch',
      id,
      cases: [{ when: { '==': [{ var: 'payload.flag' }, 1] }, target: left }, ...third],
      default: right,
    });
  }

  #loop(next: string | undefined): string {
    const body = this.#id('t');
    const rounds = this.#random.int(2, 3);
    const after = next ?? this.#task(undefined);
    const again = this.#add({
      kind: 'switch',
      id: this.#id('s'),
      cases: [{ when: { '<': [{ var: `nodes.${body}.visit` }, rounds] }, target: body }],
      default: after,
    });
    return this.#task(again, body);
  }

  #split(depth: number, next: string | undefined): string {
    const random = this.#random;
    const id = this.#id('p');
    const join = this.#id('j');
    this.#add({ kind: 'join', id: join, ...(random.chance(0.5) ? { onBranchFailure: 'continue' } : undefined) }, next);
    const outer = this.#seen;
    const branches: string[] = [];
    const width = random.int(2, 3);
    for (let i = 0; i < width; i++) {
      this.#seen = [...outer];
      branches.push(this.sequence(depth - 1, random.chance(0.5) ? join : undefined));
    }
    this.#seen = outer;
    return this.#add({ kind: 'split', id, branches, join });
  }
}
