import type { CallRow, StepRow } from '../../core/history.ts';
import type { Outcome } from '../../core/context/context.ts';

/** What a history says of one node. */
export interface NodeTally {
  /** Ord of its first row. */
  first: number;
  visits: number;
  /** Forward calls. */
  attempts: number;
  /** Of its latest visit in the latest round; absent while that is not decided. */
  outcome?: Outcome;
}

interface Counting extends NodeTally {
  /** The greatest visit of each round. */
  readonly latest: Map<number, number>;
  /** The visit that `outcome` and `isUnknown` are of. */
  at: { round: number; visit: number };
  isUnknown: boolean;
}

/** Counts visits, attempts and outcomes by node, from rows in any order of their kinds, each kind by ascending ord. */
export class NodeTallies {
  readonly #nodes = new Map<string, Counting>();

  /** Adds an attempt. */
  call(row: CallRow): void {
    if (row.phase !== 'UP') return;
    const node = this.#nodeOf(row);
    node.attempts++;
    if (row.outcome === 'unknown' && isAt(node, row)) node.isUnknown = true;
  }

  /** Adds a row of a visit. */
  step(row: StepRow): void {
    if (row.phase === 'DOWN' || row.phase === 'HOOK' || row.repeat === true) return;
    const node = this.#nodeOf(row);
    if (row.phase === 'RESOLVE' || row.outcome === 'pending' || isBegin(row) || !isAt(node, row)) return;
    node.outcome = row.outcome;
  }

  #nodeOf(row: StepRow | CallRow): Counting {
    const { nodeId, round, visit, ord } = row;
    let node = this.#nodes.get(nodeId);
    if (node === undefined) {
      node = { first: ord, visits: 0, attempts: 0, latest: new Map(), at: { round, visit }, isUnknown: false };
      this.#nodes.set(nodeId, node);
    }
    node.first = Math.min(node.first, ord);
    const before = node.latest.get(round) ?? 0;
    if (visit > before) {
      node.latest.set(round, visit);
      node.visits += visit - before;
    }
    const { at } = node;
    if (round > at.round || (round === at.round && visit > at.visit)) {
      node.at = { round, visit };
      node.isUnknown = false;
      delete node.outcome;
    }
    return node;
  }

  /** The nodes in the order of their first rows. */
  get nodes(): readonly (readonly [nodeId: string, tally: NodeTally])[] {
    return [...this.#nodes]
      .sort(([, a], [, b]) => a.first - b.first)
      .map(([nodeId, { first, visits, attempts, outcome, isUnknown }]) => {
        // One attempt of unknown outcome may have had its effect, unless a later one succeeded.
        const shown = isUnknown && outcome !== 'succeeded' ? 'unknown' : outcome;
        return [nodeId, { first, visits, attempts, ...(shown !== undefined && { outcome: shown }) }];
      });
  }
}

function isAt({ at }: Counting, { round, visit }: StepRow | CallRow): boolean {
  return at.round === round && at.visit === visit;
}

/** Whether a row tells the begin of a visit that is decided later: an acceptance, the start of a child, the begin of a loop. */
function isBegin({ phase, final }: StepRow): boolean {
  return !final && (phase === 'UP' || phase === 'WORKFLOW' || phase === 'FOREACH');
}
