import { parseJson, isJsonObject } from '../../core/value/json.ts';
import type { TimelineRow } from '../../core/view/timeline.ts';
import type { AuditEntry } from '../../ports/audit.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import type { AppContext } from '../context.ts';
import { isTouched } from '../queries/changes.ts';

/** Entries of the audit log that a timeline reads, the newest. */
const maxEntries = 200;

const prefix = 'execution.';

/** The instants between which a page tells changes by callers. */
export interface Neighbours {
  /** Exclusive; absent on the page with the first rows. */
  readonly from?: number;
  /** Inclusive; absent on the page with the newest rows. */
  readonly until?: number;
  /** Whether the page has the first rows. */
  readonly isFirst: boolean;
  /** The number and round of the row before the page. */
  readonly before: Pick<TimelineRow, 'seq' | 'round'>;
}

/**
 * The start of an execution and the changes of it by callers, from the audit log, oldest first. Their place in the history and their round
 * are still to be found.
 */
export async function controlRows(
  app: AppContext,
  detail: ExecutionDetail,
  { from = -Infinity, until = Infinity, isFirst }: Omit<Neighbours, 'before'>,
): Promise<readonly TimelineRow[]> {
  const { startAt } = detail.state;
  const started: TimelineRow = {
    seq: 0,
    kind: 'control',
    action: 'start',
    round: 1,
    from: detail.createdAt,
    // An execution that waits for its start has not begun.
    ...(startAt === undefined ? { to: detail.createdAt } : { deadline: startAt }),
  };
  const entries = isTouched(detail)
    ? (await app.store.listAudit({ target: detail.id }, { limit: maxEntries })).items
    : [];
  const changes = entries
    .filter(({ action, outcome, at }) => outcome === 'done' && action.startsWith(prefix) && at > from && at <= until)
    .map((entry) => rowOf(entry))
    .sort((a, b) => a.from - b.from);
  return isFirst ? [started, ...changes] : changes;
}

function rowOf({ at, actor, action, details }: AuditEntry): TimelineRow {
  const told = details === undefined ? undefined : parseJson(details);
  const fields = told !== undefined && isJsonObject(told) ? told : {};
  const { reason, nodeId, visit } = fields;
  return {
    seq: 0,
    kind: 'control',
    action: action.slice(prefix.length),
    actor,
    round: 1,
    from: at,
    to: at,
    ...(typeof nodeId === 'string' && { nodeId }),
    ...(typeof visit === 'number' && { visit }),
    ...(typeof reason === 'string' && { reason }),
  };
}

/**
 * Inserts controls among the rows of a page by time: before what happened at the same time, each with the number and round of the row before it.
 */
export function withControls(
  rows: readonly TimelineRow[],
  controls: readonly TimelineRow[],
  before: Neighbours['before'],
): readonly TimelineRow[] {
  const result: TimelineRow[] = [];
  const left = [...controls];
  let latest = before;
  const take = (until: number): void => {
    for (let next = left[0]; next !== undefined && next.from <= until; next = left[0]) {
      result.push({ ...next, seq: latest.seq, round: latest.round });
      left.shift();
    }
  };
  for (const row of rows) {
    // Rows without an end tell what goes on now, after all that has happened.
    take(row.to ?? Infinity);
    result.push(row);
    if (row.to !== undefined) latest = row;
  }
  take(Infinity);
  return result;
}
