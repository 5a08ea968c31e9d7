/** The processes that use the store: who lives is known from here, and not from a queue that may lose what it knows. */
export const processesSchema: string = `
-- A row per run of a process, written every few seconds; few and small.
CREATE TABLE process (
  id text COLLATE "C" PRIMARY KEY,
  pod_id text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  works boolean NOT NULL,
  sole_worker boolean NOT NULL,
  ttl_millis integer NOT NULL,
  beat_at bigint NOT NULL
) WITH (fillfactor = 50);
`;
