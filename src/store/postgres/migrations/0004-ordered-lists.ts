/**
 * Lists by time and by standing effects walk the order of ids, too.
 *
 * Nearly all rounds begin and end soon after the execution was made, so that an instant bounds the ids; `execution_late` has
 * the others. The index of block ranges that it replaces read a third of the table for one minute: ranges that were written
 * lately are not summarized yet, and they are asked for most.
 */
export const orderedListsSchema: string = `
CREATE INDEX execution_late ON execution (id) WHERE coalesce(completed_at, started_at) > created_at + 1800000;
CREATE INDEX execution_standing_by_status ON execution (status, id) WHERE standing > 0;
DROP INDEX execution_by_time;
`;
