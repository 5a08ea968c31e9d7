import type { CallRow, StepRow, UndoState } from '../../src/core/history.ts';
import type { State, TerminalStatus } from '../../src/core/state.ts';
import type { ParentLink } from '../../src/core/context/family.ts';
import type { DefinitionView } from '../definition-view.ts';

/** The durable part of one execution, as the checks see it. */
export interface Account {
  readonly id: string;
  readonly slot: number;
  readonly definition: DefinitionView;
  state: State;
  seq: number;
  dueAt: number | null;
  /** Monotonic time of the latest write or take-over. */
  touchedAt: number;
  readonly steps: StepRow[];
  readonly undo: Map<number, UndoState>;
  readonly calls: CallRow[];
  /** Call ids that checkpoints released, by round, phase, node, visit and attempt. */
  readonly marks: Map<string, Set<number>>;
  /** Id of the first call of a visit, by round, node and visit. */
  readonly firstCalls: Map<string, number>;
  /**
   * Visits of which a call has left, by the same key. A call that was released and kept back has not begun its visit.
   */
  readonly begun: Set<string>;
  /** Number of calls that left, by the same key. */
  readonly departed: Map<string, number>;
  /** Forward keys that a compensation was sent for. */
  readonly compensated: Set<string>;
  /** Rounds in which a cancel, or a termination, was accepted. */
  readonly cancelled: Set<number>;
  readonly terminated: Set<number>;
  /** Nodes that an operator settled, by round. */
  readonly resolved: Set<string>;
  /** Decided callbacks accepted: round, node, visit and operation. */
  readonly callbacks: Set<string>;
  /** When it first became due, and when a process first took it over; wall time. */
  readonly firstDueAt: number;
  firstTakenAt: number | undefined;
  /** The visit that started it; undefined for a root. */
  readonly parent: ParentLink | undefined;
  /** Rounds in which its parent told it to end. */
  readonly toldToEnd: Set<number>;
  /** The begin of each item of a loop: by round, visit of the loop and place, the scope of the item. */
  readonly items: Map<string, string>;
  /** How each round ended, the latest last. */
  readonly ends: { readonly round: number; readonly status: TerminalStatus; readonly reason: string | undefined }[];
}
