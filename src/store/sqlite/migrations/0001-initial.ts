/**
 * The first schema.
 *
 * - `execution` holds what lists filter and scans need; a running checkpoint does not touch it. What every checkpoint writes
 *   is in `run`, small; what never changes and may be large is in `input`.
 * - Rows of `step`, `call` and `inbox` are in the order of their writing (dense pages, whichever executions they belong to)
 *   and name their execution by its number, not its id, which keeps their indexes small.
 * - Indexes by status, name and version end in the id, so that each list reads only what it shows, newest first.
 */
export const initialSchema: string = `
CREATE TABLE setting (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE definition (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  hash TEXT NOT NULL,
  definition TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX definition_by_version ON definition (name, version);
CREATE INDEX definition_by_creation ON definition (created_at, id);
CREATE INDEX definition_by_name ON definition (name, created_at, id);
CREATE INDEX definition_by_hash ON definition (hash);

-- Definitions as executions are pinned to them.
CREATE TABLE definition_body (
  no INTEGER NOT NULL PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  definition TEXT NOT NULL
) STRICT;

CREATE TABLE execution (
  no INTEGER NOT NULL PRIMARY KEY,
  id TEXT NOT NULL,
  slot INTEGER NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  body INTEGER NOT NULL,
  labels TEXT,
  created_at INTEGER NOT NULL,
  -- Null once terminal.
  due_at INTEGER,
  status TEXT NOT NULL,
  -- 0 no effect stands, 1 some do, 2 some are unknown and not settled. Always 0 before the end.
  standing INTEGER NOT NULL,
  round INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  completed_at INTEGER,
  reason TEXT,
  failed_node_id TEXT,
  failure_description TEXT,
  callback_warning TEXT
) STRICT;
CREATE UNIQUE INDEX execution_by_id ON execution (id);
CREATE INDEX execution_by_status ON execution (status, id);
CREATE INDEX execution_by_name ON execution (name, status, id);
CREATE INDEX execution_by_version ON execution (name, version, status, id);
CREATE INDEX execution_by_reason ON execution (reason, id) WHERE reason IS NOT NULL;
CREATE INDEX execution_by_failed_node ON execution (failed_node_id, id) WHERE failed_node_id IS NOT NULL;
CREATE INDEX execution_standing ON execution (id) WHERE standing > 0;
CREATE INDEX execution_due ON execution (due_at, id, slot) WHERE due_at IS NOT NULL;
CREATE INDEX execution_removable ON execution (completed_at)
  WHERE completed_at IS NOT NULL AND status <> 'CORRUPTED' AND standing < 2;
CREATE INDEX execution_by_body ON execution (body);

CREATE TABLE run (
  execution INTEGER NOT NULL PRIMARY KEY,
  seq INTEGER NOT NULL,
  inbox_seq INTEGER NOT NULL,
  claim TEXT,
  claims INTEGER NOT NULL,
  -- The latest change of the execution while it was terminal.
  change TEXT,
  updated_at INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT;

CREATE TABLE input (
  execution INTEGER NOT NULL PRIMARY KEY,
  payload TEXT NOT NULL,
  traceparent TEXT
) STRICT;

CREATE TABLE label (
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (key, value, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE step (
  no INTEGER NOT NULL PRIMARY KEY,
  execution INTEGER NOT NULL,
  ord INTEGER NOT NULL,
  round INTEGER NOT NULL,
  node_id TEXT NOT NULL,
  visit INTEGER NOT NULL,
  scope TEXT NOT NULL,
  -- 1 a visit's answer or key, 2 the answer of its compensation, 0 neither.
  readable INTEGER NOT NULL,
  -- 1 with an effect or a compensation.
  marked INTEGER NOT NULL,
  effect TEXT,
  undo TEXT,
  undo_rank INTEGER,
  undo_sort INTEGER,
  row TEXT NOT NULL
) STRICT;
CREATE INDEX step_by_ord ON step (execution, ord, marked);
CREATE INDEX step_answer ON step (execution, round, node_id, ord) WHERE readable = 1;
CREATE INDEX step_undone ON step (execution, round, node_id, visit, ord) WHERE readable = 2;
CREATE INDEX step_pending ON step (execution, round, undo_rank, undo_sort DESC) WHERE undo = 'pending';
CREATE INDEX step_reopened ON step (execution, round, undo_rank, undo_sort DESC) WHERE undo = 'reopened';
CREATE INDEX step_failed ON step (execution, round) WHERE undo = 'failed';
CREATE INDEX step_standing ON step (execution, node_id, visit, round)
  WHERE effect IS NOT NULL AND (undo IS NULL OR undo IN ('pending', 'failed', 'reopened', 'accepted'));

CREATE TABLE call (
  no INTEGER NOT NULL PRIMARY KEY,
  execution INTEGER NOT NULL,
  ord INTEGER NOT NULL,
  row TEXT NOT NULL
) STRICT;
CREATE INDEX call_by_ord ON call (execution, ord);

-- Rows stay after their event was consumed (event null): ids for repeated offers, nonces for repeated callbacks.
CREATE TABLE inbox (
  position INTEGER NOT NULL PRIMARY KEY,
  execution INTEGER NOT NULL,
  id TEXT NOT NULL,
  at INTEGER NOT NULL,
  nonce TEXT,
  body_hash TEXT,
  pending INTEGER NOT NULL,
  event TEXT
) STRICT;
CREATE UNIQUE INDEX inbox_by_id ON inbox (execution, id);
CREATE INDEX inbox_waiting ON inbox (execution, position) WHERE event IS NOT NULL;
CREATE INDEX inbox_by_nonce ON inbox (execution, nonce) WHERE nonce IS NOT NULL;

CREATE TABLE start_key (
  caller TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  execution_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  -- 1 once the execution was removed.
  orphan INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX start_key_by_execution ON start_key (execution_id);
CREATE INDEX start_key_orphan ON start_key (created_at) WHERE orphan = 1;

-- Numbers of removed executions whose history is still to be removed.
CREATE TABLE garbage (execution INTEGER NOT NULL PRIMARY KEY) STRICT;
`;
