/** The audit log. Its rows are never changed or deleted one by one: triggers prevent it for every connection. */
export const auditSchema: string = `
CREATE TABLE audit (
  -- UUIDv7: the order of the log.
  id text COLLATE "C" PRIMARY KEY,
  at bigint NOT NULL,
  actor text COLLATE "C" NOT NULL,
  action text COLLATE "C" NOT NULL,
  target text COLLATE "C" NOT NULL,
  address text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  request_id text COLLATE "C" NOT NULL,
  details text
);
CREATE INDEX audit_by_actor ON audit (actor, id);
CREATE INDEX audit_by_action ON audit (action, id);
CREATE INDEX audit_by_target ON audit (target, id);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'The audit log is append-only.';
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
  FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
`;
