/**
 * What the nodes of one round answered, as far as some template, condition, join or result can still ask for it: the
 * in-memory companion of the state. Never written as a whole; rebuilt from step rows after a load (see `wantedOutputs`).
 *
 * Immutable: {@link Outputs.with} gives a new one, so that a checkpoint that is refused leaves the old one as it was.
 */
import type { NodeView } from './context.ts';
import type { StepOutput, StepRow } from './history.ts';
import { type Json, roughSize } from './json.ts';
import { canSee } from './scope.ts';
import type { OutputRef } from './state.ts';

interface Entry {
  readonly ord: number;
  readonly scope: string;
  readonly view: NodeView;
}

/** Asks for the rows of the latest visit of a node that were written before an ord (absent: the latest of all). */
export interface OutputQuery {
  readonly nodeId: string;
  readonly before?: number;
}

/** See the file header. */
export class Outputs {
  /** Nothing answered yet. */
  static readonly empty: Outputs = new Outputs(new Map());

  readonly #entries: ReadonlyMap<string, readonly Entry[]>;

  private constructor(entries: ReadonlyMap<string, readonly Entry[]>) {
    this.#entries = entries;
  }

  /** These outputs and those of `rows`, which are in the order of their ords. Rows without outputs change nothing. */
  with(rows: readonly StepRow[]): Outputs {
    let next: Map<string, readonly Entry[]> | undefined;
    for (const row of rows) {
      if (row.output === undefined && row.key === undefined) continue;
      const entries = (next ?? this.#entries).get(row.nodeId) ?? [];
      (next ??= new Map(this.#entries)).set(row.nodeId, merge(entries, row));
    }
    return next === undefined ? this : new Outputs(next);
  }

  /** The latest visit of the node that a token at `scope` may see. */
  find(nodeId: string, scope: string): NodeView | undefined {
    const entries = this.#entries.get(nodeId);
    if (entries === undefined) return undefined;
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i] as Entry;
      if (canSee(scope, entry.scope)) return entry.view;
    }
    return undefined;
  }

  /** The visit that a reference names, or undefined when it is not in memory. */
  at(ref: OutputRef): NodeView | undefined {
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

  /** Whether what the reference names is in memory. */
  has(ref: OutputRef): boolean {
    return this.at(ref) !== undefined;
  }
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
  // Whoever sees a row of this scope sees the newer one of the same scope too. Of the older visits one stays, since `prev`
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
