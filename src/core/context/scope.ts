/**
 * A scope is the position of a token within nested splits: `''` outside of all splits; each branch appends
 * `/<split>#<visit>:<entry>`. Parts that contain a separator are percent-encoded.
 */

const encode = (text: string): string => text.replace(/[%/#:]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);

/** The scope of the branch that begins at `entry`, for one visit of a split. */
export function branchScope(parent: string, split: string, visit: number, entry: string): string {
  return `${parent}/${encode(split)}#${String(visit)}:${encode(entry)}`;
}

/** Whether `scope` equals `outer` or is nested within it. */
export function isWithin(scope: string, outer: string): boolean {
  return scope.startsWith(outer) && (scope.length === outer.length || scope[outer.length] === '/');
}

/** The scope that contains the innermost branch; `''` for `''`. */
export function parentScope(scope: string): string {
  return scope.slice(0, Math.max(0, scope.lastIndexOf('/')));
}

/**
 * Whether a token at scope `viewer` may see outputs written at scope `writer`. Everything is visible except the outputs
 * of sibling branches of the same visit of a split. A node after the join sees all branches, since their scopes are
 * nested within its own.
 */
export function canSee(viewer: string, writer: string): boolean {
  if (viewer === writer || viewer === '' || writer === '') return true;
  const length = Math.min(viewer.length, writer.length);
  let same = 0;
  while (same < length && viewer.charCodeAt(same) === writer.charCodeAt(same)) same++;
  // One scope contains the other.
  if (same === length && (viewer[same] === '/' || writer[same] === '/')) return true;
  // Otherwise they diverge within the branch that begins here. The same split and visit with different entries are
  // siblings that run in parallel.
  const branch = viewer.lastIndexOf('/', same - 1);
  const entry = viewer.indexOf(':', branch);
  return entry === -1 || entry >= same;
}
