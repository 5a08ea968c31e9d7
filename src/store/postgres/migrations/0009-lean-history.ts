/**
 * A step's row says of the attempt that it records what its other columns do not, and no column is repeated in its text. The
 * column `call` has that part of large rows only.
 */
export const leanHistorySchema: string = `
ALTER TABLE step ADD COLUMN call_id integer;
`;
