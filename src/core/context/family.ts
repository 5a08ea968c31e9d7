/** The visit of a `workflow` node that started an execution. */
export interface ParentLink {
  /** Id of the execution that has the node. */
  readonly id: string;
  readonly round: number;
  readonly nodeId: string;
  readonly visit: number;
  /** The places of the items that the visit belongs to, outermost first; absent outside of every `forEach`. */
  readonly item?: readonly number[];
}

/** The place of an execution in its family. A root, which no execution started, has none of these fields. */
export interface FamilyPlace {
  /** The visit that started it. */
  readonly parent?: ParentLink;
  /** Id of the execution above it that has no parent. */
  readonly root?: string;
  /** A root has depth 1, which is not stored. */
  readonly depth?: number;
}

const ofRoot: FamilyPlace = {};

/** The place alone of something that has one. */
export function placeOf({ parent, root, depth }: FamilyPlace): FamilyPlace {
  return parent === undefined || root === undefined || depth === undefined ? ofRoot : { parent, root, depth };
}
