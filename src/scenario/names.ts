/** The names of calls in scenarios and traces. */
import type { CallPhase } from '../core/context/context.ts';

/** A node, and the places of the items of loops that it is visited for, outermost first. */
export interface NamePart {
  readonly nodeId: string;
  /** Absent outside of all loops, and in a name that means any item. */
  readonly item?: readonly number[] | undefined;
}

/** A node of an execution: the workflow nodes that lead from the root to the execution, then the node. */
export type NodePath = readonly NamePart[];

/** The name of a call outside of items, in the root: `charge:UP`, `charge:DOWN`, `onSuccessCallback:HOOK`. */
export function callName(nodeId: string, phase: CallPhase): string {
  return `${nodeId}:${phase}`;
}

/** The name of a node: `charge`, `charge[3]` for an item, `ship/reserve` for a node of the execution that `ship` starts. */
export function nodeName(path: NodePath): string {
  return path.map(({ nodeId, item }) => (item === undefined ? nodeId : `${nodeId}[${item.join(',')}]`)).join('/');
}

/** All names that mean a call, the most exact one first: `ship[3]/reserve:UP`, then `ship/reserve:UP`. */
export function callNames(path: NodePath, phase: CallPhase): readonly string[] {
  return generalised(path).map((each) => callName(nodeName(each), phase));
}

/** A path with and without its places, the most exact one first; the outermost nodes keep theirs longest. */
export function generalised([first, ...rest]: NodePath): readonly NodePath[] {
  if (first === undefined) return [[]];
  const below = generalised(rest);
  const exact = below.map((path) => [first, ...path]);
  return first.item === undefined ? exact : [...exact, ...below.map((path) => [{ nodeId: first.nodeId }, ...path])];
}
