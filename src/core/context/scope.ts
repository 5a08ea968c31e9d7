/**
 * Scopes: where in nested splits a token stands. `''` outside of any; each branch adds `/<split>#<visit>:<entry>`, each
 * part percent-encoded where it holds one of the separators.
 */

const encode = (text: string): string => text.replace(/[%/#:]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);

/** The scope of the branch that begins at `entry`, of one visit of a split. */
export function branchScope(parent: string, split: string, visit: number, entry: string): string {
  return `${parent}/${encode(split)}#${String(visit)}:${encode(entry)}`;
}

/** Whether `scope` is `outer` itself or lies within it. */
export function isWithin(scope: string, outer: string): boolean {
  return scope.startsWith(outer) && (scope.length === outer.length || scope[outer.length] === '/');
}

/** The scope around the innermost branch; `''` of `''`. */
export function parentScope(scope: string): string {
  return scope.slice(0, Math.max(0, scope.lastIndexOf('/')));
}

/**
 * Whether a token at `viewer` may see what was written at `writer`: everything but what a sibling branch of the same
 * visit of a split wrote. A node after the join sees all branches, since their scopes lie within its own.
 */
export function canSee(viewer: string, writer: string): boolean {
  if (viewer === writer || viewer === '' || writer === '') return true;
  const length = Math.min(viewer.length, writer.length);
  let same = 0;
  while (same < length && viewer.charCodeAt(same) === writer.charCodeAt(same)) same++;
  // One lies within the other.
  if (same === length && (viewer[same] === '/' || writer[same] === '/')) return true;
  // Else they part within the branch that begins here: the same split and visit but another entry are siblings that run at the same time.
  const branch = viewer.lastIndexOf('/', same - 1);
  const entry = viewer.indexOf(':', branch);
  return entry === -1 || entry >= same;
}
