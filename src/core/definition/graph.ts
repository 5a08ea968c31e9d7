import { closest, quote, type Path, type Problems } from './problems.ts';
import type { Draft, Edge, NodeDraft } from './node-draft.ts';

/** A branch of a split, or the body of a loop. */
export interface Branch {
  /** The split or the loop. */
  readonly split: string;
  readonly entry: string;
  /** Where it ends: the join of the split, `''` if the split names none; of a body, the loop itself. */
  readonly join: string;
  /** Whether it is the body of a loop. */
  readonly isBody: boolean;
  /** The branch that contains the split or the loop. */
  readonly outer: Branch | undefined;
  /** Nesting depth: 1 for a branch of an outermost split. */
  readonly depth: number;
}

/** The ids of the loops around a place, outermost first. */
export function loopsAround(place: Branch | undefined): readonly string[] {
  const loops: string[] = [];
  for (let at = place; at !== undefined; at = at.outer) if (at.isBody) loops.unshift(at.split);
  return loops;
}

/** The branch of every reachable node, and whether the graph is valid. */
export interface Layout {
  /** The innermost branch of each reachable node; undefined for nodes outside all branches. */
  readonly places: ReadonlyMap<string, Branch | undefined>;
  /** Whether every id, reference and split is valid. */
  readonly sound: boolean;
}

/**
 * Checks ids, references and the structure of splits, and assigns every reachable node to its place: the run itself, or
 * one branch of one split.
 *
 * Places are assigned from the outside in: first all nodes that the run reaches without entering a branch, then those
 * that the branches of its splits reach, and so on. A node reached from two places is therefore reported where the
 * inner or the later branch leaves its bounds. A join belongs to the same place as its split.
 */
export function checkGraph(draft: Draft, problems: Problems): Layout {
  let sound = true;
  const report = (path: Path, sentence: string): void => {
    sound = false;
    problems.error(path, sentence);
  };
  checkIds(draft, report);
  checkReferences(draft, report);
  const owners = findOwners(draft, report);
  const places = findPlaces(draft, owners, report);
  for (const node of draft.nodes) {
    if (draft.entry === undefined || !draft.byId.has(draft.entry)) break;
    if (node.id === undefined || draft.byId.get(node.id) !== node || places.has(node.id)) continue;
    // Orphan joins were already reported.
    if (node.kind === 'join' && !owners.has(node.id)) continue;
    report(node.idPath, `No path leads from the entrypoint to ${quote(node.id)}.`);
  }
  return { places, sound: sound && draft.nodes.every((node) => node.id !== undefined && node.kind !== undefined) };
}

type Report = (path: Path, sentence: string) => void;

function checkIds(draft: Draft, report: Report): void {
  for (const node of draft.nodes) {
    const first = node.id === undefined ? undefined : draft.byId.get(node.id);
    if (first === undefined || first === node) continue;
    report(node.idPath, `${quote(node.id ?? '')} is already the ${draft.linear ? 'name' : 'id'} of ${first.path}.`);
  }
}

/** Number of dangling references that get a suggestion. Each search compares against all ids. */
const maxHints = 20;

function checkReferences(draft: Draft, report: Report): void {
  const ids = [...draft.byId.keys()];
  let hints = 0;
  const missing = (id: string): string => {
    const hint = hints++ < maxHints ? closest(id, ids) : undefined;
    return `There is no node ${quote(id)}${hint === undefined ? '.' : `; did you mean ${quote(hint)}?`}`;
  };
  if (draft.linear) return;
  const entry = draft.entry === undefined ? undefined : draft.byId.get(draft.entry);
  if (draft.entry !== undefined && draft.entry.trim() !== '' && entry === undefined) {
    report('entrypoint', missing(draft.entry));
  }
  if (entry?.kind === 'join')
    report('entrypoint', `${quote(draft.entry ?? '')} is a join; a run begins at another node.`);
  for (const node of draft.nodes) {
    for (const edge of node.edges) if (!draft.byId.has(edge.target)) report(edge.path, missing(edge.target));
  }
}

/** The split of each join, by the id of the join. */
function findOwners(draft: Draft, report: Report): Map<string, NodeDraft> {
  const owners = new Map<string, NodeDraft>();
  for (const node of draft.nodes) {
    for (const edge of node.edges) {
      if (edge.via !== 'join') continue;
      const target = draft.byId.get(edge.target);
      if (target === undefined) continue;
      const owner = owners.get(edge.target);
      if (target.kind !== 'join') {
        report(edge.path, `${quote(edge.target)} is a ${target.kind ?? 'node of unknown kind'}, not a join.`);
      } else if (owner === undefined) {
        owners.set(edge.target, node);
      } else {
        const other = `the split ${quote(owner.id ?? '')} (${owner.path})`;
        report(edge.path, `The join ${quote(edge.target)} already belongs to ${other}; every split needs its own.`);
      }
    }
  }
  for (const node of draft.nodes) {
    if (node.kind !== 'join' || node.id === undefined || owners.has(node.id)) continue;
    report(node.idPath, `The join ${quote(node.id)} belongs to no split; name it as the join of one.`);
  }
  return owners;
}

function findPlaces(
  draft: Draft,
  owners: ReadonlyMap<string, NodeDraft>,
  report: Report,
): Map<string, Branch | undefined> {
  const places = new Map<string, Branch | undefined>();
  /** The reference that reached each node first. */
  const reachedBy = new Map<string, Path>();
  // One list per depth: an outer place is complete before an inner one begins.
  const pending: { node: NodeDraft; place: Branch | undefined }[][] = [[], []];
  const enter = (target: string, place: Branch | undefined, path: Path): void => {
    const node = draft.byId.get(target);
    if (node === undefined) return;
    places.set(target, place);
    reachedBy.set(target, path);
    (pending[place?.depth ?? 0] ??= []).push({ node, place });
  };

  /** Entries of branches by depth; they are entered once all enclosing places are complete. */
  const branches: { edge: Edge; branch: Branch }[][] = [];
  const follow = (node: NodeDraft, edge: Edge, place: Branch | undefined, join: string): void => {
    const { target, path } = edge;
    const isJoin = draft.byId.get(target)?.kind === 'join';
    if (edge.via === 'join') {
      // A target that is not a join is entered too, so that only the wrong kind is reported for it.
      if ((owners.get(target) === node || !isJoin) && !places.has(target)) enter(target, place, path);
    } else if (edge.via === 'branch' || edge.via === 'body') {
      const isBody = edge.via === 'body';
      if (isJoin) {
        return report(path, `${quote(target)} is a join; a ${isBody ? 'body' : 'branch'} begins at another node.`);
      }
      if (target === node.id) {
        return report(path, `${quote(target)} cannot be its own body; a body begins at another node.`);
      }
      const depth = (place?.depth ?? 0) + 1;
      const id = node.id ?? '';
      const branch = { split: id, entry: target, join: isBody ? id : join, isBody, outer: place, depth };
      (branches[depth] ??= []).push({ edge, branch });
    } else if (isJoin) {
      const owner = owners.get(target);
      if (owner === undefined || (place !== undefined && place.split === owner.id)) return;
      report(
        path,
        `${quote(target)} is the join of the split ${quote(owner.id ?? '')}; only its own branches may end there.`,
      );
    } else if (place?.isBody === true && target === place.split) {
      // The item ends here, as a branch does at its own join.
    } else if (!places.has(target)) {
      enter(target, place, path);
    } else if (places.get(target) !== place) {
      report(path, describeConflict(target, place, places.get(target)));
    }
  };

  if (draft.entry !== undefined) enter(draft.entry, undefined, 'entrypoint');
  for (let depth = 0; depth < Math.max(pending.length, branches.length); depth++) {
    for (const { edge, branch } of branches[depth] ?? []) {
      if (!places.has(edge.target)) enter(edge.target, branch, edge.path);
      else {
        const first = reachedBy.get(edge.target) ?? '';
        const what = branch.isBody ? 'body' : 'branch';
        report(edge.path, `${quote(edge.target)} is also reached by ${first}; a ${what} begins at a node of its own.`);
      }
    }
    // The list may grow during the iteration.
    for (const { node, place } of pending[depth] ?? []) {
      const join = node.edges.find(({ via }) => via === 'join')?.target ?? '';
      for (const edge of node.edges) follow(node, edge, place, join);
    }
  }
  return places;
}

function describeConflict(target: string, place: Branch | undefined, other: Branch | undefined): string {
  // An outer place is complete before an inner one begins, so an edge to an already assigned node starts in a branch.
  if (place?.isBody === true) {
    return `${quote(target)} lies outside of the body of the forEach ${quote(place.split)}, which ends at a node without next or at the forEach itself.`;
  }
  const split = quote(place?.split ?? '');
  const branch = quote(place?.entry ?? '');
  const join = quote(place?.join ?? '');
  if (other !== undefined && place !== undefined && other.split === place.split) {
    const sibling = quote(other.entry);
    return `Branch ${branch} of the split ${split} merges with branch ${sibling} at ${quote(target)}; branches meet only at their join ${join}.`;
  }
  return `${quote(target)} lies outside of branch ${branch} of the split ${split}, which may end only at its join ${join} or at a node without next.`;
}
