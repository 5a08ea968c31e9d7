import type { ItemView, NodeView } from './context.ts';
import type { StepOutput, StepRow } from '../history.ts';
import { type Json, memorySize, roughSize } from '../value/json.ts';
import type { Mutable } from '../value/mutable.ts';
import { LoopRows } from './loop-rows.ts';
import { canSee, isWithin, type ItemPlace } from './scope.ts';
import type { ItemEnd, OutputRef } from '../state.ts';
import { RenderFault } from '../template/run.ts';

interface Entry {
  readonly ord: number;
  readonly scope: string;
  readonly view: NodeView;
  /** The node is missing for all who see this entry first. */
  readonly isHidden?: true;
  /** Approximate size in bytes; computed on first use. */
  size?: number;
}

/** The entries of one node. */
interface Recent {
  readonly nodeId: string;
  readonly entries: readonly Entry[];
}

type EntryMap = ReadonlyMap<string, readonly Entry[]>;

/** Number of nodes beside the map of all of them. */
const maxRecent = 8;

const noneRecent: readonly Recent[] = [];
const noneLeft: ReadonlyMap<string, string | undefined> = new Map();

/** A query for outputs of a node. */
export interface OutputQuery {
  readonly nodeId: string;
  /** Limits the search to rows with a lower ord. */
  readonly before?: number;
  /** Finds the row with this ord only. Otherwise, the rows of the latest visit are found, but for `refOnly` ones. */
  readonly at?: number;
  /** Limits the search to rows of an item of a loop, which begin after this ord. */
  readonly within?: { readonly scope: string; readonly after: number };
}

/**
 * The outputs of the nodes of one round, as far as a template, condition, join or result can still read them: the
 * in-memory companion of the state. Never stored as a whole; rebuilt from step rows after a load (see `wantedOutputs`).
 *
 * Outputs may be left in the store, where the step rows hold them: those that nothing can read any more, and those that
 * exceed the memory bound. A node whose outputs were left out cannot be read until they are restored; a place that
 * needs them waits (see `lackOfMove` and its neighbours in `wanted.ts`).
 *
 * Immutable: {@link Outputs.with} returns a new instance, so a rejected checkpoint leaves the old one intact.
 */
export class Outputs {
  /** Outputs of a round in which no node has responded yet. */
  static readonly empty: Outputs = new Outputs(new Map(), noneLeft);

  readonly #base: EntryMap;
  /** The latest nodes, in place of those in the map: copying the whole map for each row would take most of the time. */
  readonly #recent: readonly Recent[];
  /** Nodes with outputs left in the store, mapped to the error if these cannot be loaded. */
  readonly #left: ReadonlyMap<string, string | undefined>;
  readonly #loops: LoopRows;

  private constructor(
    base: EntryMap,
    left: ReadonlyMap<string, string | undefined>,
    recent: readonly Recent[] = noneRecent,
    loops: LoopRows = LoopRows.none,
  ) {
    this.#base = base;
    this.#left = left;
    this.#recent = recent;
    this.#loops = loops;
  }

  #all(): EntryMap {
    return merged(this.#base, this.#recent);
  }

  #entriesOf(nodeId: string): readonly Entry[] | undefined {
    return entriesIn(this.#base, this.#recent, nodeId);
  }

  /** Creates outputs that leave those of the given nodes in the store. */
  static leaving(nodeIds: readonly string[]): Outputs {
    return new Outputs(new Map(), new Map(nodeIds.map((nodeId) => [nodeId, undefined])));
  }

  /** Whether all outputs are in memory. */
  get isWhole(): boolean {
    return this.#left.size === 0;
  }

  /** The nodes whose outputs were left in the store and can be loaded. */
  get leftOut(): readonly string[] {
    return [...this.#left.keys()].filter((nodeId) => this.lacks(nodeId));
  }

  /** Whether outputs of the node were left in the store, so that the node cannot be read here. */
  isLeftOut(nodeId: string): boolean {
    return this.#left.has(nodeId);
  }

  /** Whether outputs of the node were left in the store and can be loaded. */
  lacks(nodeId: string): boolean {
    return this.#left.has(nodeId) && this.#left.get(nodeId) === undefined;
  }

  /** Adds the outputs of these nodes that had been left in the store; `rows` is the result of `lackQueries`. */
  restored(nodeIds: readonly string[], rows: readonly StepRow[]): Outputs {
    const entries = new Map(this.#all());
    const left = new Map(this.#left);
    for (const nodeId of nodeIds) {
      entries.delete(nodeId);
      left.delete(nodeId);
    }
    const restored = new Outputs(entries, left, noneRecent, this.#loops).with(rows);
    // Keep outputs that were added after the query was sent.
    const lastOrd = rows.at(-1)?.ord ?? 0;
    const all = new Map(restored.#all());
    for (const nodeId of nodeIds) {
      const newer = (this.#entriesOf(nodeId) ?? []).filter(({ ord }) => ord > lastOrd);
      if (newer.length > 0) all.set(nodeId, [...(all.get(nodeId) ?? []), ...newer]);
    }
    return new Outputs(all, left, noneRecent, restored.#loops);
  }

  /** Marks these nodes as unavailable: every read of them fails with the message `why`. */
  refusing(nodeIds: readonly string[], why: string): Outputs {
    return new Outputs(
      this.#all(),
      new Map([...this.#left, ...nodeIds.map((id) => [id, why] as const)]),
      noneRecent,
      this.#loops,
    );
  }

  /**
   * Leaves in the store all outputs that `isWanted` rejects, then the largest of the rest until they take about
   * `maxBytes` at most. Keeps the rows of loops that `isRowWanted` accepts. Call this only for outputs that are durable.
   */
  trimmed(
    isWanted: (nodeId: string) => boolean,
    maxBytes: number,
    isRowWanted: (ord: number) => boolean = () => false,
  ): Outputs {
    const loops = this.#loops.trimmed(isRowWanted);
    const entries = new Map<string, readonly Entry[]>();
    const left = new Map(this.#left);
    const sizes: { readonly nodeId: string; readonly size: number }[] = [];
    let total = 0;
    const all = this.#all();
    for (const [nodeId, of] of all) {
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
    const isSame = left.size === this.#left.size && entries.size === all.size && loops === this.#loops;
    return isSame ? this : new Outputs(entries, left, noneRecent, loops);
  }

  /** Approximate size in memory, in bytes. */
  get size(): number {
    let size = this.#loops.size;
    for (const entries of this.#all().values()) size += sizeOf(entries);
    return size;
  }

  /** Adds the outputs of `rows`, which must be in ascending order of ord. Rows without outputs are ignored. */
  with(rows: readonly StepRow[]): Outputs {
    let base = this.#base;
    let recent = this.#recent;
    let hasLoopRows = false;
    for (const row of rows) {
      if (row.output === undefined && row.key === undefined) continue;
      if (LoopRows.holds(row)) {
        hasLoopRows = true;
        continue;
      }
      const { nodeId } = row;
      const entries = merge(entriesIn(base, recent, nodeId) ?? [], row);
      const index = recent.findIndex((other) => other.nodeId === nodeId);
      recent = index < 0 ? [...recent, { nodeId, entries }] : recent.with(index, { nodeId, entries });
      if (recent.length <= maxRecent) continue;
      base = merged(base, recent);
      recent = noneRecent;
    }
    const loops = hasLoopRows ? this.#loops.with(rows) : this.#loops;
    const isSame = recent === this.#recent && base === this.#base && loops === this.#loops;
    return isSame ? this : new Outputs(base, this.#left, recent, loops);
  }

  /** Drops the outputs of an item of a loop that has ended: nothing can read them any more. */
  without(scope: string): Outputs {
    const entries = new Map<string, readonly Entry[]>();
    for (const [nodeId, of] of this.#all()) {
      const kept = of.filter((entry) => !isWithin(entry.scope, scope));
      if (kept.length > 0) entries.set(nodeId, kept.length === of.length ? of : kept);
    }
    return new Outputs(entries, this.#left, noneRecent, this.#loops);
  }

  /** Whether a row of a loop is in memory. */
  hasLoopRow(ord: number): boolean {
    return this.#loops.has(ord);
  }

  /** The items of a row of a loop that have ended; none if the row is not in memory. */
  endsAt(ord: number): readonly ItemEnd[] {
    return this.#loops.ends(ord);
  }

  /** An item of a loop. Throws if its row was left in the store. */
  item(of: ItemPlace): ItemView {
    const value = this.#loops.item(of);
    if (value === undefined) throw new RenderFault(`The items of ${of.nodeId} were not read from the store.`);
    return { index: of.place, value };
  }

  /**
   * Returns the latest visit of the node that is visible to a token at `scope`. Throws if its outputs were left in the
   * store.
   */
  find(nodeId: string, scope: string): NodeView | undefined {
    this.#check(nodeId);
    const entries = this.#entriesOf(nodeId);
    if (entries === undefined) return undefined;
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i] as Entry;
      if (canSee(scope, entry.scope)) return entry.isHidden === true ? undefined : entry.view;
    }
    return undefined;
  }

  /**
   * Returns the visit that a reference names, or undefined if it is unknown. Throws if its outputs were left in the
   * store.
   */
  at(ref: OutputRef): NodeView | undefined {
    this.#check(ref.nodeId);
    return this.#entriesOf(ref.nodeId)?.find((entry) => entry.ord === ref.ord)?.view;
  }

  /** Approximate number of characters; stops counting shortly after `limit`. */
  roughSize(limit: number): number {
    let size = 0;
    for (const entries of this.#all().values()) {
      for (const { view } of entries) {
        // All fields of a view are JSON values, although its type does not express that.
        size += roughSize(view as unknown as Json, limit - size);
        if (size > limit) return size;
      }
    }
    return size;
  }

  /** Returns empty outputs for a new round. */
  cleared(): Outputs {
    return Outputs.empty;
  }

  #check(nodeId: string): void {
    if (!this.#left.has(nodeId)) return;
    throw new RenderFault(this.#left.get(nodeId) ?? `The output of ${nodeId} was not read from the store.`);
  }
}

/** The entries of all nodes. */
function merged(base: EntryMap, recent: readonly Recent[]): EntryMap {
  if (recent.length === 0) return base;
  const all = new Map(base);
  for (const { nodeId, entries } of recent) all.set(nodeId, entries);
  return all;
}

function entriesIn(base: EntryMap, recent: readonly Recent[], nodeId: string): readonly Entry[] | undefined {
  for (const other of recent) if (other.nodeId === nodeId) return other.entries;
  return base.get(nodeId);
}

/** Approximate size of entries in bytes. */
function sizeOf(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) {
    // All fields of a view are JSON values, although its type does not express that.
    entry.size ??= memorySize(entry.view as unknown as Json);
    size += entry.size;
  }
  return size;
}

const nothing: StepOutput = {};

/** Removes the response of the compensation, which belongs to another row, and what only people see. */
function ownOutput(output: StepOutput): StepOutput {
  if (output.downBody === undefined && output.count === undefined) return output;
  const { downBody: _down, count: _count, ...own } = output;
  return own;
}

function merge(entries: readonly Entry[], row: StepRow): readonly Entry[] {
  const last = entries.at(-1);
  const sameVisit = last !== undefined && last.view.visit === row.visit && last.view.round === row.round;
  if (row.phase === 'DOWN') {
    if (!sameVisit || row.output?.downBody === undefined) return entries;
    return [...entries.slice(0, -1), { ...last, view: { ...last.view, downBody: row.output.downBody } }];
  }
  if (row.output?.isHidden === true) {
    const { ord, scope, nodeId, visit, round } = row;
    const hidden: Entry = { ord, scope, view: { nodeId, visit, round }, isHidden: true };
    return [...entries, hidden].slice(-maxVersions);
  }
  const output = row.output === undefined ? nothing : ownOutput(row.output);
  const before = sameVisit && last.isHidden !== true ? last.view : undefined;
  const view: Mutable<NodeView> = { ...before, nodeId: row.nodeId, visit: row.visit, round: row.round };
  if (row.key !== undefined) view.idempotencyKey = row.key;
  Object.assign(view, output);
  // The response of an async node is the body of its callback with the status and headers of its request's response.
  if (output.callback !== undefined && output.response === undefined) {
    const { status = 200, headers = {} } = before?.accepted ?? {};
    view.response = { status, headers, body: output.callback.body };
  }
  const entry: Entry = { ord: row.ord, scope: row.scope, view };
  if (entries.length === 0) return [entry];
  // Every reader that sees a row of this scope also sees newer rows of the same scope. One older visit is kept, because
  // `prev` may still name it while a loop visits the node again.
  const older = entries.findLastIndex((other) => other.scope === row.scope && other.view.visit !== row.visit);
  const kept = entries.filter((other, i) => i === older || other.scope !== row.scope);
  kept.push(entry);
  // Those of running items stay: as many as run, and they go when their items end.
  if (kept.length <= maxVersions || isItem(entry.scope)) return kept;
  let others = kept.length - kept.filter(({ scope }) => isItem(scope)).length;
  return kept.filter(({ scope }) => isItem(scope) || others-- <= maxVersions);
}

const isItem = (scope: string): boolean => scope.includes('/#');

/**
 * Maximum number of versions of one node, kept for readers in different branches. Only nested splits in loops produce
 * more than two. When the bound is exceeded, the oldest version is dropped, which no live token can see any more.
 */
const maxVersions = 64;
