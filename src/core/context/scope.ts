/**
 * A scope is the position of a token within nested splits and loops over items: `''` outside of all of them.
 *
 * - Each branch appends `/<split>#<visit>:<entry>`.
 * - Each loop appends two parts: `/<forEach>#<visit>#<ord>` for the visit of the loop, where `ord` is that of its first
 *   row, and `/#<start>:<place>` for one item, where `start` is the ord that the history had when the item began.
 *
 * Ids that contain a separator are percent-encoded. So a scope tells which items it belongs to, and where their values
 * and their history begin.
 */

const encode = (text: string): string => text.replace(/[%/#:]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);

const decode = (text: string): string =>
  text.replace(/%([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));

/** The scope of the branch that begins at `entry`, for one visit of a split. */
export function branchScope(parent: string, split: string, visit: number, entry: string): string {
  return `${parent}/${encode(split)}#${String(visit)}:${encode(entry)}`;
}

/** The scope of all items of one visit of a loop, whose first row has the given ord. */
export function loopScope(parent: string, loop: string, visit: number, ord: number): string {
  return `${parent}/${encode(loop)}#${String(visit)}#${String(ord)}`;
}

/** The scope of one item of a loop that began after the row with ord `start`. */
export function itemScope(loop: string, start: number, place: number): string {
  return `${loop}/#${String(start)}:${String(place)}`;
}

/** An item that a scope belongs to. */
export interface ItemPlace {
  /** The id of the loop's node, and the number of its visit. */
  readonly nodeId: string;
  readonly visit: number;
  /** The ord of the first row of that visit. */
  readonly ord: number;
  /** The ord after which the history of the item begins. */
  readonly start: number;
  /** Counts from 0. */
  readonly place: number;
  /** The scope of the item. */
  readonly scope: string;
}

const itemPart = /\/([^/#:]*)#(\d+)#(\d+)\/#(\d+):(\d+)/g;

/** The items that a scope belongs to, outermost first; empty outside of all loops. */
export function itemsOf(scope: string): readonly ItemPlace[] {
  // No loop is the rule.
  if (!scope.includes('/#')) return [];
  return Array.from(
    scope.matchAll(itemPart),
    ({ 0: part, 1: id = '', 2: visit, 3: ord, 4: start, 5: place, index }) => ({
      nodeId: decode(id),
      visit: Number(visit),
      ord: Number(ord),
      start: Number(start),
      place: Number(place),
      scope: scope.slice(0, index + part.length),
    }),
  );
}

/** The places of the items that a scope belongs to, outermost first; undefined outside of all loops. */
export function placesOf(scope: string): readonly number[] | undefined {
  return scope.includes('/#') ? itemsOf(scope).map(({ place }) => place) : undefined;
}

/** Whether a scope belongs to the item with these places, outermost first; true without places. */
export function isOfPlaces(scope: string, item: readonly number[] | undefined): boolean {
  if (item === undefined) return true;
  const own = placesOf(scope) ?? [];
  return own.length === item.length && item.every((place, level) => place === own[level]);
}

/** Whether a scope is that of an item itself, outside of all branches within it. */
export function isItemScope(scope: string): boolean {
  const last = scope.lastIndexOf('/');
  return last >= 0 && scope[last + 1] === '#';
}

/** Whether `scope` equals `outer` or is nested within it. */
export function isWithin(scope: string, outer: string): boolean {
  return scope.startsWith(outer) && (scope.length === outer.length || scope[outer.length] === '/');
}

/** Whether a row belongs to an item whose history begins after an ord; true without an item. */
export function isOfItem(
  row: { readonly ord: number; readonly scope: string },
  item: { readonly scope: string; readonly after: number } | undefined,
): boolean {
  return item === undefined || (row.ord > item.after && isWithin(row.scope, item.scope));
}

/** The scope that contains the innermost branch or item; `''` for `''`. Of an item, it is that of its loop. */
export function parentScope(scope: string): string {
  return scope.slice(0, Math.max(0, scope.lastIndexOf('/')));
}

/** The scope of the innermost item; undefined outside of all loops. */
export function innermostItem(scope: string): string | undefined {
  const begin = scope.lastIndexOf('/#');
  if (begin < 0) return undefined;
  const end = scope.indexOf('/', begin + 1);
  return end < 0 ? scope : scope.slice(0, end);
}

/**
 * Whether a token at scope `viewer` may see outputs written at scope `writer`. Everything is visible except the outputs
 * of sibling branches of the same visit of a split, and those of an item from outside of it. A node after the join sees
 * all branches, since their scopes are nested within its own.
 */
export function canSee(viewer: string, writer: string): boolean {
  if (viewer === writer || writer === '') return true;
  const item = innermostItem(writer);
  if (item !== undefined && !isWithin(viewer, item)) return false;
  if (viewer === '') return true;
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
