/**
 * Whether a member keeps its whole family from being removed, 0 or 1, in the words of the index `execution_family`: it is not over,
 * its hook is undelivered, it is CORRUPTED, or effects of it are unknown and not settled.
 */
export const keepsFamily = "(completed_at IS NULL OR due_at IS NOT NULL OR status = 'CORRUPTED' OR standing = 2)";
