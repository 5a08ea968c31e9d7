import { QueueUnavailable } from '../../ports/queue.ts';
import type { Keys } from './keyspace.ts';
import type { RedisLink } from './redis-link.ts';
import type { ScriptName } from './scripts.ts';

/** Bound of the steps of a script: it runs for less than a millisecond or two. */
const maxSteps = 100;

/** Bound of the arguments of a script. */
const maxArguments = 2000;

/**
 * The scripts of several steps: they take keys and arguments of one step after those of the other, and answer a list of
 * replies.
 */
export type GroupedScript = Extract<ScriptName, 'claim-one' | 'enqueue' | 'finish'>;

interface Batch {
  readonly operation: string;
  readonly script: GroupedScript;
  readonly slot: number;
  readonly keys: string[];
  readonly args: (string | number)[];
  readonly waiting: { readonly resolve: (reply: unknown) => void; readonly reject: (error: unknown) => void }[];
}

/**
 * Gathers steps of one kind from one turn of the event loop that may go to a server as one script: a script costs the
 * server and this process several times as much as a step in it. A standalone server takes the steps of all shards
 * together; in a cluster only keys of one slot may meet in a script.
 *
 * Guarantees: the steps of a slot reach its server in the order of the calls, other commands included (which must call
 * {@link StepBatches.flush} before). A step that fails on the server fails alone; without an answer all steps of the
 * script may have taken place or not.
 */
export class StepBatches {
  readonly #link: Pick<RedisLink, 'runOn'>;
  readonly #isCluster: boolean;
  /** Open batches by slot in a cluster; otherwise one for all slots. Sent at the end of the turn at the latest. */
  readonly #open = new Map<number, Batch>();

  constructor(link: Pick<RedisLink, 'runOn'>, isCluster: boolean) {
    this.#link = link;
    this.#isCluster = isCluster;
  }

  /** Runs a step with others. Throws {@link QueueUnavailable} that names the operation. */
  run<Names extends string>(
    operation: string,
    script: GroupedScript,
    keys: Keys<Names>,
    names: readonly Names[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const target = this.#isCluster ? keys.slot : 0;
    let batch = this.#open.get(target);
    if (batch !== undefined && (batch.script !== script || isFull(batch, args.length))) {
      this.#send(target, batch);
      batch = undefined;
    }
    if (batch === undefined) {
      if (this.#open.size === 0) setImmediate(() => this.#flushAll());
      batch = { operation, script, slot: keys.slot, keys: [], args: [], waiting: [] };
      this.#open.set(target, batch);
    }
    for (const name of names) batch.keys.push(keys.names[name]);
    batch.args.push(...args);
    const { waiting } = batch;
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
    });
  }

  /** Sends the batch of the slot, because another command is about to go there. */
  flush(slot: number): void {
    const target = this.#isCluster ? slot : 0;
    const batch = this.#open.get(target);
    if (batch !== undefined) this.#send(target, batch);
  }

  #flushAll(): void {
    for (const [target, batch] of this.#open) this.#send(target, batch);
  }

  #send(target: number, { operation, script, slot, keys, args, waiting }: Batch): void {
    this.#open.delete(target);
    this.#link.runOn(operation, slot, script, [keys.length, ...keys, ...args]).then(
      (replies) => {
        waiting.forEach(({ resolve, reject }, at) => {
          const reply = (replies as readonly unknown[])[at];
          if (typeof reply !== 'string') resolve(reply);
          else reject(new QueueUnavailable(`Redis failed (${operation}): ${reply}`));
        });
      },
      (error: unknown) => {
        for (const { reject } of waiting) reject(error);
      },
    );
  }
}

function isFull(batch: Batch, more: number): boolean {
  return batch.waiting.length >= maxSteps || batch.args.length + more > maxArguments;
}
