/**
 * Whether a member keeps its whole family from being removed, in the words of the index `execution_family`: it is not over, its hook
 * is undelivered, it is CORRUPTED, or effects of it are unknown and not settled.
 */
export const keepsFamily = (of: string): string =>
  `(${of}.completed_at IS NULL OR ${of}.due_at IS NOT NULL OR ${of}.status = 'CORRUPTED' OR ${of}.standing = 2)`;
