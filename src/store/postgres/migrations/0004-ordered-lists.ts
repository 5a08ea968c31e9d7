/**
 * Lists by time and by standing effects walk the order of ids, too.
 *
 * Nearly all rounds begin and end soon after the execution was made, so that an instant bounds the ids; the indexes of what
 * began or ended late have the others. The index of block ranges that it replaces read a third of the table for one minute: ranges that were written
 * lately are not summarized yet, and they are asked for most.
 */
export const orderedListsSchema: string = `
CREATE INDEX execution_late_start ON execution (id) WHERE started_at > created_at + 300000;
CREATE INDEX execution_late ON execution (id) WHERE completed_at > created_at + 300000;
CREATE INDEX execution_late_end ON execution (completed_at) WHERE completed_at > created_at + 300000;
CREATE INDEX execution_standing_by_status ON execution (status, id) WHERE standing > 0;
DROP INDEX execution_by_time;
`;
