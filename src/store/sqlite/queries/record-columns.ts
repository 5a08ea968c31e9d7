/** Columns of an execution as clients see it, named as in `RecordValues`; for a query over `execution e`, `run r` and `definition_body b`. */
export const recordColumns: string = `e.id, e.slot, e.name, e.version, b.hash, e.labels, e.created_at AS createdAt, e.status, e.standing,
  e.round, e.started_at AS startedAt, r.updated_at AS updatedAt, e.completed_at AS completedAt, e.reason,
  e.failed_node_id AS failedNodeId, e.failure_description AS failureDescription, e.callback_warning AS callbackWarning,
  e.parent, e.root, e.link`;
