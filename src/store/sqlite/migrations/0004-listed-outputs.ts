/**
 * Large outputs beside their rows, and what lists show of them before both: SQLite reads a column only together with all that
 * come before it. Rows that were written before keep their outputs.
 */
export const listedOutputsSchema: string = `
ALTER TABLE step ADD COLUMN shown TEXT;
ALTER TABLE step ADD COLUMN output TEXT;
`;
