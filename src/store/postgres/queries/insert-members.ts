import type { NewExecution } from '../../../ports/store.ts';
import { uuidArray } from '../columns/binary-array.ts';
import { encodeText } from '../columns/text-column.ts';
import type { Session, Statement } from '../connection/session.ts';
import { isLookedUp } from './looked-up.ts';
import { lockInOrder, tell, type TellValues } from './tells.ts';

/** A new execution with a parent that must be held, or with events for others. */
interface Member {
  readonly source: Pick<NewExecution, 'id' | 'parent' | 'parentClaim'>;
  readonly tells: readonly TellValues[];
}

/** What became of a row of the statement that inserts. */
export interface Answer {
  readonly id: string;
  /** Whether the pinned body of its definition still exists. */
  readonly hasBody: boolean;
  /** Whether its definition has a record, or needs none. */
  readonly hasRecord: boolean;
  /** Whether it has no start key or its start key was inserted. */
  readonly done: boolean;
}

const idSql = `SELECT e.id FROM unnest($1::uuid[]) AS i (id) JOIN execution e ON ${isLookedUp('e.id', 'i.id')}`;

/** Whether the insertion needs more than one statement. */
export function isMember({ source, tells }: Member): boolean {
  return source.parentClaim !== undefined || tells.length > 0;
}

/**
 * Inserts executions that belong to families, in a transaction. It locks their parents and the executions that they tell first. Those
 * whose parent is over, or held under another claim, are not inserted: their ids are `fenced`, unless an earlier attempt has inserted
 * them. Gives the answers of the statement.
 */
export async function insertMembers<M extends Member>(
  session: Session,
  batch: readonly M[],
  statementOf: (batch: readonly M[]) => Statement,
): Promise<{ readonly answers: readonly Answer[]; readonly fenced: ReadonlySet<string> }> {
  const claimed = batch.filter(({ source }) => source.parentClaim !== undefined);
  const locked = await lockInOrder(session, [
    ...claimed.flatMap(({ source }) => (source.parent === undefined ? [] : [source.parent.id])),
    ...batch.flatMap(({ tells }) => tells.map((one) => one.executionId)),
  ]);
  const isHeld = ({ parent, parentClaim }: Member['source']): boolean => {
    const row = parent && locked.get(parent.id);
    return parentClaim === undefined || (row?.isOpen === true && row.claim === encodeText(parentClaim));
  };
  const lost = claimed.flatMap(({ source }) => (isHeld(source) ? [] : [source.id]));
  const known =
    lost.length === 0 ? [] : await session.query<{ id: string }>({ text: idSql, values: [uuidArray(lost)] });
  const fenced = new Set(lost.filter((id) => !known.some((row) => row.id === id)));
  const allowed = batch.filter(({ source }) => !fenced.has(source.id));
  if (allowed.length === 0) return { answers: [], fenced };
  const answers = await session.query<Answer>(statementOf(allowed));
  const created = new Set(answers.flatMap((x) => (x.hasBody && x.hasRecord && x.done ? [x.id] : [])));
  await tell(
    session,
    batch.flatMap(({ source, tells }) => (created.has(source.id) ? tells : [])),
  );
  return { answers, fenced };
}
