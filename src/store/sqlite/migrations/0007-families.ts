/**
 * Executions that another one started: who did, the root of their family, and the rest of their place as JSON text. A root has no
 * entry in these indexes. The second one tells at once whether a family has a member that must be kept: one that is not over, is
 * CORRUPTED, has unknown effects that are not settled, or a hook that is still to be delivered.
 */
export const familiesSchema: string = `
ALTER TABLE execution ADD COLUMN parent TEXT;
ALTER TABLE execution ADD COLUMN root TEXT;
ALTER TABLE execution ADD COLUMN link TEXT;
CREATE INDEX execution_by_parent ON execution (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX execution_family
  ON execution ((completed_at IS NULL OR due_at IS NOT NULL OR status = 'CORRUPTED' OR standing = 2), root, id)
  WHERE root IS NOT NULL;

-- An execution that has a parent goes with its root.
DROP INDEX execution_removable;
CREATE INDEX execution_removable ON execution (completed_at)
  WHERE completed_at IS NOT NULL AND status <> 'CORRUPTED' AND standing < 2 AND root IS NULL;

-- Removed roots whose families are still to be removed.
CREATE TABLE removed_root (root TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
`;
