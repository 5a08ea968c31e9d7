import type { CompensateWhen } from '../plan.ts';
import type { RenderLimits } from '../template/run.ts';
import type { TemplatePath } from '../template/path.ts';
import type { Hints } from '../template/path-hints.ts';
import type { Path, Problems } from './problems.ts';

/** What the compilation of any part needs, and the collections that it adds to. */
export interface Compiling {
  readonly nodeIds: ReadonlySet<string>;
  /** The number of loops around the place. */
  readonly loops: number;
  readonly limits: RenderLimits;
  /** Maximum `timeoutMillis` of a call. */
  readonly maxTimeoutMillis: number;
  readonly problems: Problems;
  readonly reads: Read[];
  /** See `PathScope.hints`. */
  readonly hints: Hints;
  /** What the compiled expressions need. */
  readonly needs: ExpressionNeeds;
}

/** What the expressions of a definition need. */
export interface ExpressionNeeds {
  /** The least state format whose processes evaluate all of them alike. */
  format: number;
  /** The number of `$logic` expressions. */
  values: number;
}

/** When a template or condition is evaluated, relative to the visit of its node. */
export type Moment =
  /** During the visit: the node's request, wake-up time or failure reason. */
  | { readonly kind: 'during'; readonly nodeId: string }
  /** A condition. Reads of missing outputs cause no warning, since a condition may test which path the run took. */
  | { readonly kind: 'condition'; readonly nodeId: string }
  /** At the end of an item of a loop: what its result is. */
  | { readonly kind: 'collect'; readonly nodeId: string }
  /** After the visit: the node's compensation. */
  | { readonly kind: 'compensation'; readonly nodeId: string; readonly compensateWhen: CompensateWhen }
  | { readonly kind: 'onSuccess' }
  /** A failure hook. Reads cause no warning, since it is obvious that nodes may not have run. */
  | { readonly kind: 'onFailure' };

/** A path that the definition reads, with its place and moment. */
export interface Read {
  readonly place: Path;
  readonly moment: Moment;
  readonly path: TemplatePath;
}
