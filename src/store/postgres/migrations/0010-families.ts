/**
 * Executions that another one started: who did, the root of their family, and the rest of their place as JSON text. A root has no
 * entry in these indexes. The second one tells at once whether a family has a member that must be kept: one that is not over, is
 * CORRUPTED, has unknown effects that are not settled, or a hook that is still to be delivered. A running checkpoint changes none of
 * these columns.
 */
export const familiesSchema: string = `
ALTER TABLE execution ADD COLUMN parent uuid;
ALTER TABLE execution ADD COLUMN root uuid;
ALTER TABLE execution ADD COLUMN link text;
CREATE INDEX execution_by_parent ON execution (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX execution_family
  ON execution (((completed_at IS NULL OR due_at IS NOT NULL OR status = 'CORRUPTED' OR standing = 2)), root, id)
  INCLUDE (slot) WHERE root IS NOT NULL;
`;
