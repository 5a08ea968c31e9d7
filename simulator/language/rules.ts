/** The rules about loops over items, the first of several branches, and executions that start each other. */
import { itemsOf } from '../../src/core/context/scope.ts';
import type { StepRow } from '../../src/core/history.ts';
import type { Downstreams } from '../downstreams.ts';
import { keyParts } from '../definition-view.ts';
import type { Account } from '../rules/account.ts';
import { type Ledger, mustUndo, short } from '../rules/ledger.ts';

/** One entry of a status document's list of standing effects. */
export interface Standing {
  readonly nodeId: string;
  readonly visit: number;
  readonly round: number;
  readonly outcome: 'succeeded' | 'unknown';
}

/** Records that a rule is broken. */
export type Blame = (rule: string, what: string) => void;

/** A loop that succeeded has begun each of its items. That none began twice is checked when it begins. */
export function checkItems({ steps, items }: Account, blame: Blame): void {
  for (const row of steps) {
    if (row.phase !== 'FOREACH' || !row.final || row.outcome !== 'succeeded') continue;
    const begin = steps.find(
      (one) => one.phase === 'FOREACH' && one.output?.count !== undefined && isSameVisit(one, row),
    );
    if (begin === undefined) {
      blame('items', `${row.nodeId}#${String(row.visit)} has ended and never began`);
      continue;
    }
    for (let place = 0; place < (begin.output?.count ?? 0); place++) {
      const isBegun = [...items.values()].some((scope) => {
        const item = itemsOf(scope).at(-1);
        return item?.ord === begin.ord && item.place === place;
      });
      if (!isBegun) blame('items', `item ${String(place)} of ${row.nodeId}#${String(row.visit)} never began`);
    }
  }
}

function isSameVisit(a: StepRow, b: StepRow): boolean {
  return a.nodeId === b.nodeId && a.visit === b.visit && a.round === b.round;
}

/** Where the first branch to succeed decides, nothing stands of the others that can be undone. */
export function checkFirsts(account: Account, downstreams: Downstreams, blame: Blame): void {
  const { state, definition } = account;
  if (state.end?.status !== 'SUCCEEDED') return;
  /** By visit of a split: the branches of which something stands. */
  const standing = new Map<string, Set<string>>();
  for (const row of account.steps) {
    if (row.round !== state.round || row.key === undefined || !mustUndo(definition, row) || row.phase === 'WORKFLOW')
      continue;
    const operation = downstreams.find(row.key);
    if (operation?.state !== 'done' || operation.undone) continue;
    if (account.undo.get(row.ord) === 'accepted') continue;
    for (const [, visit = '', branch = ''] of row.scope.matchAll(/\/([^/#:]+#\d+):([^/#:]+)/g)) {
      if (!definition.firsts.has(visit.split('#')[0] ?? '')) continue;
      standing.set(visit, (standing.get(visit) ?? new Set()).add(branch));
    }
  }
  for (const [visit, branches] of standing) {
    if (branches.size > 1) blame('first', `effects of the branches ${[...branches].join(', ')} of ${visit} stand`);
  }
}

/** Each visit started one child, and a parent that is over without success lists each child of which something stands. */
export function checkChildren(
  ledger: Ledger,
  downstreams: Downstreams,
  account: Account,
  standing: readonly Standing[],
  blame: Blame,
): void {
  const { end } = account.state;
  const started = new Map<string, Account>();
  for (const child of ledger.accounts.values()) {
    const { parent } = child;
    if (parent?.id !== account.id) continue;
    const visit = `${parent.nodeId}#${String(parent.visit)} of round ${String(parent.round)}`;
    const other = started.get(visit);
    if (other !== undefined) blame('children', `${visit} started both ${short(other.id)} and ${short(child.id)}`);
    started.set(visit, child);
    const isKnown = account.steps.some((row) => row.phase === 'WORKFLOW' && row.child === child.id);
    if (!isKnown) blame('children', `${visit} started ${short(child.id)}, and the history does not say so`);
    const of = account.definition.starts.get(parent.nodeId);
    if (end === undefined || end.status === 'SUCCEEDED' || of?.waits !== true) continue;
    if (!somethingStands(child, downstreams, ledger.accounts.values())) continue;
    const isListed = standing.some(
      (effect) =>
        effect.nodeId === parent.nodeId &&
        account.steps.some((row) => row.child === child.id && row.visit === effect.visit && row.round === effect.round),
    );
    if (!isListed) blame('standing', `effects of ${short(child.id)}, which ${visit} started, stand and are not listed`);
  }
}

/** Whether an effect stands downstream of an execution, or of one that it has started. */
export function somethingStands(child: Account, downstreams: Downstreams, accounts: Iterable<Account>): boolean {
  const all = [...accounts];
  const stands = (account: Account): boolean =>
    downstreams.operationsOf(account.id).some(({ key, state, undone }) => {
      const { nodeId } = keyParts(key);
      return state === 'done' && !undone && account.definition.tasks.get(nodeId)?.mutating === true;
    }) || all.some((other) => other.parent?.id === account.id && stands(other));
  return stands(child);
}
