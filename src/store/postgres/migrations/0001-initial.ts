/**
 * The first schema.
 *
 * - `execution` is one row per execution. A running checkpoint changes only columns that no index knows, and half of a page
 *   is kept for the next version of each row, so that it is a heap-only update even when all rows of a page are written in
 *   one statement. (With 60 % filled a quarter of them went to other pages, and the table became no smaller.)
 * - What an execution is pinned to (name, version, hash, text of its definition) is in `definition_body`, once; executions
 *   name it by number.
 * - `execution`, `step`, `call`, `inbox` and `label` are ranges of the execution's id, whose first 48 bits are the time of
 *   its creation: one partition per month and table, made ahead of time, and a default for whatever has none.
 * - States, rows and events are JSON text that no query looks into: plain text is neither parsed nor changed.
 * - Text that may come from outside is kept escaped where Postgres could not keep it (see `text-column.ts`); all text sorts
 *   by bytes.
 */
export const initialSchema: string = `
CREATE TABLE setting (key text COLLATE "C" PRIMARY KEY, value text NOT NULL);

CREATE TABLE definition (
  id text COLLATE "C" PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  hash text COLLATE "C" NOT NULL,
  definition text NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL
);
CREATE UNIQUE INDEX definition_by_version ON definition (name, version);
CREATE INDEX definition_by_creation ON definition (created_at, id);
CREATE INDEX definition_by_name ON definition (name, created_at, id);
CREATE INDEX definition_by_hash ON definition (hash);

-- Definitions as executions are pinned to them.
CREATE TABLE definition_body (
  no integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hash text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  definition text NOT NULL
);
CREATE UNIQUE INDEX definition_body_by_hash ON definition_body (hash, name, version);
CREATE INDEX definition_body_by_name ON definition_body (name, version);
CREATE INDEX definition_body_by_version ON definition_body (version);

-- Columns that every checkpoint changes lie together: only what is between the first and the last of them is logged.
CREATE TABLE execution (
  id uuid NOT NULL,
  created_at bigint NOT NULL,
  slot integer NOT NULL,
  body integer NOT NULL,
  started_at bigint NOT NULL,
  -- Null once terminal.
  due_at bigint,
  completed_at bigint,
  updated_at bigint NOT NULL,
  seq integer NOT NULL,
  inbox_seq integer NOT NULL,
  -- Claims in a row without progress.
  claims integer NOT NULL,
  round integer NOT NULL,
  -- 0 no effect stands, 1 some do, 2 some are unknown and not settled. Always 0 before the end.
  standing smallint NOT NULL,
  status text COLLATE "C" NOT NULL,
  claim text COLLATE "C",
  -- The latest change of the execution while it was terminal.
  change text COLLATE "C",
  reason text COLLATE "C",
  failed_node_id text COLLATE "C",
  failure_description text,
  callback_warning text,
  state text NOT NULL,
  traceparent text,
  labels text,
  payload text NOT NULL,
  PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX execution_due ON execution (due_at, id) INCLUDE (slot, status) WHERE due_at IS NOT NULL;
CREATE INDEX execution_listed ON execution (body, status, id);
-- What a run that goes well never is.
CREATE INDEX execution_by_status ON execution (status, id) INCLUDE (slot)
  WHERE status IN ('WAITING_CALLBACK', 'SLEEPING', 'COMPENSATING', 'FAILED', 'CANCELLED', 'CORRUPTED', 'TERMINATED');
CREATE INDEX execution_by_reason ON execution (reason, id) WHERE reason IS NOT NULL;
CREATE INDEX execution_by_failed_node ON execution (failed_node_id, id) WHERE failed_node_id IS NOT NULL;
CREATE INDEX execution_standing ON execution (id) WHERE standing > 0;
CREATE INDEX execution_unresolved ON execution (id) WHERE standing = 2;
CREATE INDEX execution_by_time ON execution USING brin (started_at, completed_at) WITH (autosummarize = on);

CREATE TABLE label (
  key text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  execution uuid NOT NULL,
  PRIMARY KEY (key, value, execution)
) PARTITION BY RANGE (execution);
CREATE INDEX label_by_execution ON label (execution);

CREATE TABLE step (
  execution uuid NOT NULL,
  ord integer NOT NULL,
  round integer NOT NULL,
  visit integer NOT NULL,
  undo_sort integer,
  undo_rank smallint,
  -- 1 a visit's answer or key, 2 the answer of its compensation, 0 neither.
  readable smallint NOT NULL,
  -- 1 with an effect or a compensation.
  marked smallint NOT NULL,
  node_id text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  effect text COLLATE "C",
  undo text COLLATE "C",
  -- Whether its effect stood when a later round began; null before.
  earlier boolean,
  "row" text NOT NULL,
  PRIMARY KEY (execution, ord)
) PARTITION BY RANGE (execution);
CREATE INDEX step_answer ON step (execution, round, node_id, ord) WHERE readable = 1;
CREATE INDEX step_undone ON step (execution, round, node_id, visit, ord) WHERE readable = 2;
-- What is to be undone, in order. An effect that nothing undoes has no entry: hardly ever is it looked for.
CREATE INDEX step_undo ON step (execution, round, undo, undo_rank, undo_sort DESC, node_id, visit) WHERE undo IS NOT NULL;
CREATE INDEX step_standing ON step (execution, node_id, visit, round, ord) WHERE earlier;

CREATE TABLE call (
  execution uuid NOT NULL,
  ord integer NOT NULL,
  "row" text NOT NULL,
  PRIMARY KEY (execution, ord)
) PARTITION BY RANGE (execution);

-- Rows stay after their event was consumed (event null): ids for repeated offers, nonces for repeated callbacks.
CREATE TABLE inbox (
  execution uuid NOT NULL,
  -- The execution's inbox_seq once this row was in it.
  position integer NOT NULL,
  at bigint NOT NULL,
  pending boolean NOT NULL,
  id text COLLATE "C" NOT NULL,
  nonce text COLLATE "C",
  body_hash text COLLATE "C",
  event text,
  PRIMARY KEY (execution, id)
) PARTITION BY RANGE (execution);
CREATE INDEX inbox_waiting ON inbox (execution, position) WHERE event IS NOT NULL;
CREATE INDEX inbox_by_nonce ON inbox (execution, nonce, position) WHERE nonce IS NOT NULL;

CREATE TABLE start_key (
  caller text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  execution_id uuid NOT NULL,
  created_at bigint NOT NULL,
  -- Whether the execution was removed.
  orphan boolean NOT NULL DEFAULT false,
  fingerprint text COLLATE "C" NOT NULL,
  PRIMARY KEY (caller, key)
);
CREATE INDEX start_key_by_execution ON start_key (execution_id);
CREATE INDEX start_key_orphan ON start_key (created_at) WHERE orphan;

-- Removed executions whose history is still to be removed.
CREATE TABLE garbage (execution uuid PRIMARY KEY);

-- Ranges of ids whose partitions were dropped: their start keys are still to be removed.
CREATE TABLE dropped_range (low uuid PRIMARY KEY, high uuid NOT NULL);

CREATE TABLE execution_default PARTITION OF execution DEFAULT
  WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE TABLE label_default PARTITION OF label DEFAULT;
CREATE TABLE step_default PARTITION OF step DEFAULT;
CREATE TABLE call_default PARTITION OF call DEFAULT;
CREATE TABLE inbox_default PARTITION OF inbox DEFAULT;
`;
