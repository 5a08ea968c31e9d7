import type { NodeView } from './context.ts';
import type { StepOutput, StepRow } from '../history.ts';
import { type Json, memorySize, roughSize } from '../value/json.ts';
import { canSee } from './scope.ts';
import type { OutputRef } from '../state.ts';
import { RenderFault } from '../template/run.ts';

interface Entry {
  readonly ord: number;
  readonly scope: string;
  readonly view: NodeView;
  /** About how many bytes it takes, once that was counted. */
  size?: number;
}

const noneLeft: ReadonlyMap<string, string | undefined> = new Map();

/** Asks for the rows of the latest visit of a node that were written before an ord (absent: the latest of all). */
export interface OutputQuery {
  readonly nodeId: string;
  readonly before?: number;
}

/**
 * What the nodes of one round answered, as far as some template, condition, join or result can still ask for it: the
 * in-memory companion of the state. Never written as a whole; rebuilt from step rows after a load (see `wantedOutputs`).
 *
 * Outputs may be left in the store, whose rows have them: those that nothing can ask for any more, and those for which there is
 * too little room. Of such a node nothing can be seen before it is restored; a place that needs it waits for that (see
 * `lackOfMove` and its neighbours in `wanted.ts`).
 *
 * Immutable: {@link Outputs.with} gives a new one, so that a checkpoint that is refused leaves the old one as it was.
 */
export class Outputs {
  /** Nothing answered yet. */
  static readonly empty: Outputs = new Outputs(new Map(), noneLeft);

  readonly #entries: ReadonlyMap<string, readonly Entry[]>;
  /** Nodes of which something was left in the store, some with the reason why it cannot be had. */
  readonly #left: ReadonlyMap<string, string | undefined>;

  private constructor(entries: ReadonlyMap<string, readonly Entry[]>, left: ReadonlyMap<string, string | undefined>) {
    this.#entries = entries;
    this.#left = left;
  }

  /** Outputs of which those of these nodes were left in the store. */
  static leaving(nodeIds: readonly string[]): Outputs {
    return new Outputs(new Map(), new Map(nodeIds.map((nodeId) => [nodeId, undefined])));
  }

  /** Whether nothing was left in the store. */
  get isWhole(): boolean {
    return this.#left.size === 0;
  }

  /** The nodes of which something was left in the store and can be had. */
  get leftOut(): readonly string[] {
    return [...this.#left.keys()].filter((nodeId) => this.lacks(nodeId));
  }

  /** Whether something of the node was left in the store and can be had. */
  lacks(nodeId: string): boolean {
    return this.#left.has(nodeId) && this.#left.get(nodeId) === undefined;
  }

  /** With what was left in the store of these nodes; `rows` is what `lackQueries` asked for. */
  restored(nodeIds: readonly string[], rows: readonly StepRow[]): Outputs {
    const entries = new Map(this.#entries);
    const left = new Map(this.#left);
    for (const nodeId of nodeIds) {
      entries.delete(nodeId);
      left.delete(nodeId);
    }
    const restored = new Outputs(entries, left).with(rows);
    // What was answered since they were asked for stays.
    const lastOrd = rows.at(-1)?.ord ?? 0;
    const all = new Map(restored.#entries);
    for (const nodeId of nodeIds) {
      const newer = (this.#entries.get(nodeId) ?? []).filter(({ ord }) => ord > lastOrd);
      if (newer.length > 0) all.set(nodeId, [...(all.get(nodeId) ?? []), ...newer]);
    }
    return new Outputs(all, left);
  }

  /** These nodes cannot be had: whatever asks for them fails with this sentence. */
  refusing(nodeIds: readonly string[], why: string): Outputs {
    return new Outputs(this.#entries, new Map([...this.#left, ...nodeIds.map((id) => [id, why] as const)]));
  }

  /**
   * Leaves in the store what `isWanted` does not name, and the largest of the rest until it takes about `maxBytes` at most. To
   * be called of what is durable only.
   */
  trimmed(isWanted: (nodeId: string) => boolean, maxBytes: number): Outputs {
    const entries = new Map<string, readonly Entry[]>();
    const left = new Map(this.#left);
    const sizes: { readonly nodeId: string; readonly size: number }[] = [];
    let total = 0;
    for (const [nodeId, of] of this.#entries) {
      if (!isWanted(nodeId)) {
        left.set(nodeId, undefined);
        continue;
      }
      const size = sizeOf(of);
      total += size;
      sizes.push({ nodeId, size });
      entries.set(nodeId, of);
    }
    if (total > maxBytes) sizes.sort((a, b) => b.size - a.size);
    for (const { nodeId, size } of sizes) {
      if (total <= maxBytes) break;
      total -= size;
      entries.delete(nodeId);
      left.set(nodeId, undefined);
    }
    return left.size === this.#left.size && entries.size === this.#entries.size ? this : new Outputs(entries, left);
  }

  /** About how many bytes it takes in memory. */
  get size(): number {
    let size = 0;
    for (const entries of this.#entries.values()) size += sizeOf(entries);
    return size;
  }

  /** These outputs and those of `rows`, which are in the order of their ords. Rows without outputs change nothing. */
  with(rows: readonly StepRow[]): Outputs {
    let next: Map<string, readonly Entry[]> | undefined;
    for (const row of rows) {
      if (row.output === undefined && row.key === undefined) continue;
      const entries = (next ?? this.#entries).get(row.nodeId) ?? [];
      (next ??= new Map(this.#entries)).set(row.nodeId, merge(entries, row));
    }
    return next === undefined ? this : new Outputs(next, this.#left);
  }

  /** The latest visit of the node that a token at `scope` may see. */
  find(nodeId: string, scope: string): NodeView | undefined {
    this.#check(nodeId);
    const entries = this.#entries.get(nodeId);
    if (entries === undefined) return undefined;
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i] as Entry;
      if (canSee(scope, entry.scope)) return entry.view;
    }
    return undefined;
  }

  /** The visit that a reference names. Throws where it was left in the store; undefined where it is not known. */
  at(ref: OutputRef): NodeView | undefined {
    this.#check(ref.nodeId);
    return this.#entries.get(ref.nodeId)?.find((entry) => entry.ord === ref.ord)?.view;
  }

  /** About how many characters it holds; counts no further than a little beyond `limit`. */
  roughSize(limit: number): number {
    let size = 0;
    for (const entries of this.#entries.values()) {
      for (const { view } of entries) {
        // A view's fields are JSON values, though their types do not say so.
        size += roughSize(view as unknown as Json, limit - size);
        if (size > limit) return size;
      }
    }
    return size;
  }

  /** Nothing answered yet: a new round begins. */
  cleared(): Outputs {
    return Outputs.empty;
  }

  #check(nodeId: string): void {
    if (!this.#left.has(nodeId)) return;
    throw new RenderFault(this.#left.get(nodeId) ?? `The output of ${nodeId} was not read from the store.`);
  }
}

/** About how many bytes entries take. */
function sizeOf(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) {
    // A view's fields are JSON values, though their types do not say so.
    entry.size ??= memorySize(entry.view as unknown as Json);
    size += entry.size;
  }
  return size;
}

const nothing: StepOutput = {};

/** Without the answer of the compensation, which is another row's. */
function ownOutput(output: StepOutput): StepOutput {
  if (output.downBody === undefined) return output;
  const { downBody: _down, ...own } = output;
  return own;
}

function merge(entries: readonly Entry[], row: StepRow): readonly Entry[] {
  const last = entries.at(-1);
  const sameVisit = last !== undefined && last.view.visit === row.visit && last.view.round === row.round;
  if (row.phase === 'DOWN') {
    if (!sameVisit || row.output?.downBody === undefined) return entries;
    return [...entries.slice(0, -1), { ...last, view: { ...last.view, downBody: row.output.downBody } }];
  }
  const output = row.output === undefined ? nothing : ownOutput(row.output);
  const before = sameVisit ? last.view : undefined;
  const view: NodeView = {
    ...before,
    nodeId: row.nodeId,
    visit: row.visit,
    round: row.round,
    ...(row.key === undefined ? undefined : { idempotencyKey: row.key }),
    ...output,
    // An async node answers with its callback's body under its request's status and headers.
    ...(output.callback === undefined || output.response !== undefined
      ? undefined
      : {
          response: {
            status: before?.accepted?.status ?? 200,
            headers: before?.accepted?.headers ?? {},
            body: output.callback.body,
          },
        }),
  };
  const entry: Entry = { ord: row.ord, scope: row.scope, view };
  // A reader that sees a row of this scope sees the newer one of the same scope too. Of the older visits one stays, since `prev`
  // may still name it while a loop visits the node again.
  const older = entries.findLastIndex((other) => other.scope === row.scope && other.view.visit !== row.visit);
  const kept = entries.filter((other, i) => i === older || other.scope !== row.scope);
  kept.push(entry);
  return kept.length > maxVersions ? kept.slice(-maxVersions) : kept;
}

/**
 * Versions of one node kept for readers in other branches. Only nested splits in loops make more than two; beyond the
 * bound the oldest, which no live token can see any more, goes.
 */
const maxVersions = 64;
