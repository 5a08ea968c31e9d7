/**
 * A step's row says of the attempt that it records what its other columns do not, and no column is repeated in its text. Of
 * large rows, the call is beside it, before the output: SQLite reads a column only together with all that come before it.
 */
export const leanHistorySchema: string = `
ALTER TABLE step ADD COLUMN call_id INTEGER;
ALTER TABLE step DROP COLUMN output;
ALTER TABLE step ADD COLUMN call TEXT;
ALTER TABLE step ADD COLUMN output TEXT;
`;
