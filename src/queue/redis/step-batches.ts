import { QueueUnavailable } from '../../ports/queue.ts';
import type { Keys } from './keyspace.ts';
import type { RedisLink } from './redis-link.ts';
import type { ScriptName } from './scripts.ts';

/** Maximum number of steps per script. The script then runs for at most one or two milliseconds. */
const maxSteps = 100;

/** Maximum number of arguments per script. */
const maxArguments = 2000;

/**
 * The scripts that run several steps. They take the keys and arguments of all steps in sequence, and return one reply
 * per step.
 */
export type GroupedScript = Extract<ScriptName, 'claim-each' | 'enqueue' | 'finish'>;

interface Batch {
  readonly operation: string;
  readonly script: GroupedScript;
  readonly slot: number;
  readonly keys: string[];
  readonly args: (string | number)[];
  readonly waiting: { readonly resolve: (reply: unknown) => void; readonly reject: (error: unknown) => void }[];
}

/**
 * Combines the steps of one kind within a turn of the event loop into one script, because a script costs the server and
 * this process several times as much as a step in it. On a standalone server one script takes the steps of all shards;
 * in a cluster a script may only use keys of one slot.
 *
 * Guarantees: the steps of a slot reach its server in the order of the calls, also relative to other commands (which
 * must call {@link StepBatches.flush} before). A step that fails on the server does not affect the others. If the reply
 * gets lost, either all steps of the script have run or none.
 */
export class StepBatches {
  readonly #link: Pick<RedisLink, 'runOn'>;
  readonly #isCluster: boolean;
  /** Open batches: one per slot in a cluster, otherwise one. They are sent at the end of the turn at the latest. */
  readonly #open = new Map<number, Batch>();

  constructor(link: Pick<RedisLink, 'runOn'>, isCluster: boolean) {
    this.#link = link;
    this.#isCluster = isCluster;
  }

  /** Adds a step to a batch. Throws {@link QueueUnavailable} that names the operation. */
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

  /** Sends the open batch of the slot. Call it before any other command to that slot. */
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
