/** Globs of names (see `ExecutionFilter.nameGlobs`) as a condition of a statement. */

/** A condition that a column fits one of the globs; undefined when there are none to fit. None at all fits nothing. */
export function globCondition(
  column: string,
  globs: readonly string[] | undefined,
): { readonly sql: string; readonly values: readonly string[] } | undefined {
  if (globs === undefined) return undefined;
  if (globs.length === 0) return { sql: 'false', values: [] };
  return {
    sql: `(${globs.map(() => `${column} GLOB ?`).join(' OR ')})`,
    // SQLite knows more wildcards than we do.
    values: globs.map((glob) => glob.replaceAll(/[?[]/g, '[$&]')),
  };
}
