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
 * visit of a split wrote. Whoever stands after the join sees all branches, since their scopes lie within its own.
 */
export function canSee(viewer: string, writer: string): boolean {
  if (viewer === writer || viewer === '' || writer === '') return true;
  const a = viewer.split('/');
  const b = writer.split('/');
  for (let i = 1; i < a.length && i < b.length; i++) {
    const left = a[i] as string;
    const right = b[i] as string;
    if (left === right) continue;
    // The same split and visit but another entry: siblings that run at the same time.
    return left.slice(0, left.indexOf(':')) !== right.slice(0, right.indexOf(':'));
  }
  return true;
}
