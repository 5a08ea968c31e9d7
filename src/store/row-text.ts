/**
 * Rows as JSON text, alike in every adapter: what queries never look at stays one text, digits kept.
 */
import type { FamilyPlace } from '../core/context/family.ts';
import type { StepRow } from '../core/history.ts';
import { parseJson, stringifyJson, type Json } from '../core/value/json.ts';
import type { ExecutionStatus, State, UndoTarget } from '../core/state.ts';
import type { EffectRow, ExecutionFilter, InboxEvent } from '../ports/store.ts';
import type { ExecutionSummary } from '../ports/records.ts';

/** Statuses of executions that are over. */
export const terminalStatuses: readonly ExecutionStatus[] = [
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'CORRUPTED',
  'TERMINATED',
];

/** Statuses of executions that are not over. */
export const activeStatuses: readonly ExecutionStatus[] = [
  'IN_PROGRESS',
  'WAITING_CALLBACK',
  'SLEEPING',
  'COMPENSATING',
];

/** JSON text of a state, an event or labels. Throws a TypeError when it cannot be written as JSON. */
export function encode(value: State | InboxEvent | Readonly<Record<string, string>>): string {
  return stringifyJson(value as unknown as Json);
}

/** An event for another execution: its text, from which a `childEnded` event lacks `standing`. */
export interface ToldText {
  readonly text: string;
  readonly lacksStanding: boolean;
}

/** The text of an event for another execution. Throws a TypeError when it cannot be written as JSON. */
export function encodeTold(event: InboxEvent): ToldText {
  if (event.type !== 'childEnded') return { text: encode(event), lacksStanding: false };
  const { standing: _unknown, ...rest } = event;
  return { text: encode(rest as InboxEvent), lacksStanding: true };
}

/** The whole text of the event, once it is known whether effects of its sender stand. */
export function toldText({ text, lacksStanding }: ToldText, standing: boolean): string {
  return lacksStanding ? `${text.slice(0, -1)},"standing":${String(standing)}}` : text;
}

/** The event of a text. */
export function decodeEvent(text: string): InboxEvent {
  return parseJson(text) as unknown as InboxEvent;
}

/** The state of a text. */
export function decodeState(text: string): State {
  return parseJson(text) as unknown as State;
}

/** The labels of a text; null is none. */
export function decodeLabels(text: string | null): Readonly<Record<string, string>> {
  return text === null ? {} : (JSON.parse(text) as Record<string, string>);
}

/**
 * Whether later templates may find this row by its node: 1 a visit's own answer or key, 2 the answer of its compensation,
 * 0 neither. A callback judged pending is no answer.
 */
export function readability(row: StepRow): 0 | 1 | 2 {
  if (row.refOnly === true) return 0;
  if (row.phase === 'DOWN') return row.output === undefined ? 0 : 2;
  return row.outcome !== 'pending' && (row.output !== undefined || row.key !== undefined) ? 1 : 0;
}

/** Whether the index of effects and what undoes them has this row: 1, else 0. */
export function isMarked({ effect, undo }: StepRow): 0 | 1 {
  return effect === undefined && undo === undefined ? 0 : 1;
}

/** Whether this row's effect stands as long as its execution does not succeed. */
export function isStanding(row: Pick<StepRow, 'effect' | 'undo'>): boolean {
  return row.effect !== undefined && row.undo !== 'done' && row.undo !== 'resolved' && row.undo !== 'moved';
}

/** Whether this row's effect stands, is unknown, and no operator has settled it. */
export function isUnresolved(row: Pick<StepRow, 'effect' | 'undo'>): boolean {
  return row.effect === 'unknown' && isStanding(row) && row.undo !== 'accepted';
}

/** The target that a compensation of this row's visit has. */
export function undoTarget(row: StepRow): UndoTarget {
  return {
    nodeId: row.nodeId,
    visit: row.visit,
    round: row.round,
    ord: row.ord,
    scope: row.scope,
    outcome: row.outcome as UndoTarget['outcome'],
    key: row.key ?? '',
    ...(row.prev === undefined ? undefined : { prev: row.prev }),
    ...(row.child === undefined ? undefined : { child: row.child }),
  };
}

/** The effect of a row that has an effect or a compensation. */
export function effectRow(row: StepRow): EffectRow {
  return {
    target: undoTarget(row),
    begunAt: row.begunAt ?? row.startedAt,
    mutating: row.effect !== undefined,
    ...(row.effect === undefined ? undefined : { effect: row.effect }),
    ...(row.undo === undefined ? undefined : { undo: row.undo }),
    ...(row.fingerprint === undefined ? undefined : { fingerprint: row.fingerprint }),
    ...(row.undoRank === undefined ? undefined : { undoRank: row.undoRank }),
    ...(row.undoSort === undefined ? undefined : { undoSort: row.undoSort }),
    ...(row.child === undefined ? undefined : { child: row.child }),
  };
}

/** Whether the execution is over by its summary. */
export function isOver(summary: Pick<ExecutionSummary, 'status'>): boolean {
  return terminalStatuses.includes(summary.status);
}

/** What the columns `parent` and `root` do not say of the place of an execution in its family, as JSON text. */
interface WrittenLink {
  readonly round: number;
  readonly nodeId: string;
  readonly visit: number;
  readonly item?: readonly number[];
  readonly depth: number;
}

/** The columns of an execution's place in its family, all null for a root. */
export type FamilyValues = readonly [parent: string | null, root: string | null, link: string | null];

/** The columns of a place. Throws a TypeError when a place with a parent has no root or depth. */
export function familyValues({ parent, root, depth }: FamilyPlace): FamilyValues {
  if (parent === undefined) return [null, null, null];
  if (root === undefined || depth === undefined)
    throw new TypeError('An execution with a parent needs its root and depth.');
  const { id, ...visit } = parent;
  const link: WrittenLink = { ...visit, depth };
  return [id, root, stringifyJson(link as unknown as Json)];
}

/** The place that {@link familyValues} wrote. */
export function familyPlace(parent: string | null, root: string | null, link: string | null): FamilyPlace {
  if (parent === null || root === null || link === null) return {};
  const { depth, ...visit } = JSON.parse(link) as WrittenLink;
  return { parent: { id: parent, ...visit }, root, depth };
}

/** The condition of a filter for the column `standing`: 0 nothing stands, 2 also unknown effects, 1 only others. */
export function standingIs(standing: NonNullable<ExecutionFilter['standing']>): string {
  switch (standing) {
    case true:
      return '> 0';
    case false:
      return '= 0';
    case 'unknown':
      return '= 2';
    case 'succeeded':
      return '= 1';
  }
}
