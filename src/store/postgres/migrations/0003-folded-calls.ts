/**
 * A step's row may hold the call that it came of. Rows of a few kilobytes stay in one piece: by default Postgres spends
 * processor time on compressing whatever is beyond two.
 */
export const foldedCallsSchema: string = `
ALTER TABLE step ADD COLUMN call text;

DO $$
DECLARE
  part regclass;
BEGIN
  FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'step'::regclass LOOP
    EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = 4080)', part);
  END LOOP;
END
$$;
`;
