/**
 * The condition `column = value` for a join in which the column belongs to a large table and the value to a small row source: it
 * makes Postgres look each value up in the column's index, and only in the partition that can have it.
 *
 * Postgres may plan a plain equality from either side. A plan made while the table was empty would begin with the table and then
 * compare all rows of a large one with all values. A list of one element is no equality that orders rows, so that reading the
 * table in its order has no use and the table cannot come first. Unlike `= ANY ($1)`, this compares each value once, and its
 * value is known row by row, so that Postgres skips the other partitions.
 */
export const isLookedUp = (column: string, value: string): string => `${column} = ANY (ARRAY[${value}])`;

/** Whether `value` is in the result of the query `set`. Postgres evaluates this with a hash table; a join would compare all pairs. */
export const isOneOf = (value: string, set: string): string => `((${value} IN (${set})) IS TRUE)`;
