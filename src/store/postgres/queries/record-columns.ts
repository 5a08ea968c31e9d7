import type { RecordValues } from '../../stored-rows.ts';
import { decodeText } from '../columns/text-column.ts';

/** Columns of an execution, named as in `RecordValues`, for a query over `execution e` and `definition_body d`. */
export const recordColumns = `e.id, e.slot, d.name, d.version, d.hash, e.labels, e.created_at AS "createdAt", e.status,
  e.standing, e.round, e.started_at AS "startedAt", e.updated_at AS "updatedAt", e.completed_at AS "completedAt", e.reason,
  e.failed_node_id AS "failedNodeId", e.failure_description AS "failureDescription",
  e.callback_warning AS "callbackWarning", e.parent, e.root, e.link`;

/** The names of {@link recordColumns}, for an outer query. */
export const recordNames = `id, slot, name, version, hash, labels, "createdAt", status, standing, round, "startedAt", "updatedAt",
  "completedAt", reason, "failedNodeId", "failureDescription", "callbackWarning", parent, root, link`;

const orNull = (text: string | null): string | null => (text === null ? null : decodeText(text));

/** Decodes the texts of a row. */
export function decodeRecord<T extends RecordValues>(row: T): T {
  return {
    ...row,
    name: decodeText(row.name),
    version: decodeText(row.version),
    hash: decodeText(row.hash),
    reason: orNull(row.reason),
    failedNodeId: orNull(row.failedNodeId),
    failureDescription: orNull(row.failureDescription),
    callbackWarning: orNull(row.callbackWarning),
  };
}
