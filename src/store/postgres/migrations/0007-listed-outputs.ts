/**
 * Large outputs beside their rows, and what lists show of them. What a query does not name is not fetched from where Postgres keeps
 * large values. Rows that were written before keep their outputs.
 */
export const listedOutputsSchema: string = `
ALTER TABLE step ADD COLUMN shown text;
ALTER TABLE step ADD COLUMN output text;
`;
