import type { Json, JsonObject } from '../../../src/core/value/json.ts';
import type { Answer } from './client.ts';
import type { HistoryRow } from './executions.ts';
import { flagAt, instantAt, listAt, numberAt, objectAt, objectOf, textAt } from './reading.ts';

/** What a run did at a node, over all rows, also those of other pages. */
export interface TimelineNode {
  readonly nodeId: string;
  readonly kind: string;
  readonly visits: number;
  readonly attempts: number;
  readonly outcome?: string | undefined;
  readonly state?: string | undefined;
  readonly undo?: { readonly order: number; readonly state: string } | undefined;
}

/** Something that happened, or goes on: an attempt, a wait, a change. */
export interface TimelineRow {
  readonly seq: number;
  readonly kind: string;
  readonly nodeId: string;
  readonly visit: number;
  readonly round: number;
  readonly attempt: number;
  readonly phase: string;
  readonly outcome: string;
  readonly statusCode?: number | undefined;
  readonly from: number;
  /** Undefined while it goes on. */
  readonly to?: number | undefined;
  readonly deadline?: number | undefined;
  readonly callId?: string | undefined;
  readonly wait?: Wait | undefined;
  readonly note?: string | undefined;
  readonly action?: string | undefined;
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
}

/** What a wait waits for. */
export interface Wait {
  readonly for: string;
  readonly host?: string | undefined;
  readonly holdId?: string | undefined;
  readonly isCircuit: boolean;
  readonly isPlace: boolean;
  readonly retriesLeft?: number | undefined;
}

/** The newest rows of a run, in the order in which they were written, and all its nodes. */
export interface Timeline {
  readonly nodes: readonly TimelineNode[];
  readonly rows: readonly TimelineRow[];
  /** Whether older rows exist that were not read. */
  readonly isCut: boolean;
}

/** Reads the answer to a request for the newest rows. */
export function readTimeline(json: Json, { headers }: Pick<Answer, 'headers'>): Timeline {
  const value = objectOf(json);
  return {
    nodes: listAt(value, 'nodes').map((each) => readNode(objectOf(each))),
    rows: listAt(value, 'rows')
      .map((each) => readRow(objectOf(each)))
      .toReversed(),
    isCut: headers.has('x-next-cursor'),
  };
}

function readNode(value: JsonObject): TimelineNode {
  const undo = objectAt(value, 'undo');
  return {
    nodeId: textAt(value, 'nodeId') ?? '',
    kind: textAt(value, 'kind') ?? '',
    visits: numberAt(value, 'visits') ?? 0,
    attempts: numberAt(value, 'attempts') ?? 0,
    outcome: textAt(value, 'outcome'),
    state: textAt(value, 'state'),
    ...(undo !== undefined && {
      undo: { order: numberAt(undo, 'order') ?? 0, state: textAt(undo, 'state') ?? '' },
    }),
  };
}

function readRow(value: JsonObject): TimelineRow {
  const wait = objectAt(value, 'wait');
  return {
    seq: numberAt(value, 'seq') ?? 0,
    kind: textAt(value, 'kind') ?? '',
    nodeId: textAt(value, 'nodeId') ?? '',
    visit: numberAt(value, 'visit') ?? 1,
    round: numberAt(value, 'round') ?? 1,
    attempt: numberAt(value, 'attempt') ?? 1,
    phase: textAt(value, 'phase') ?? '',
    outcome: textAt(value, 'outcome') ?? '',
    statusCode: numberAt(value, 'statusCode'),
    from: instantAt(value, 'from') ?? 0,
    to: instantAt(value, 'to'),
    deadline: instantAt(value, 'deadline'),
    callId: textAt(value, 'callId'),
    ...(wait !== undefined && {
      wait: {
        for: textAt(wait, 'for') ?? '',
        host: textAt(wait, 'host'),
        holdId: textAt(wait, 'holdId'),
        isCircuit: flagAt(wait, 'circuit'),
        isPlace: flagAt(wait, 'place'),
        retriesLeft: numberAt(wait, 'retriesLeft'),
      },
    }),
    note: textAt(value, 'note'),
    action: textAt(value, 'action'),
    actor: textAt(value, 'actor'),
    reason: textAt(value, 'reason'),
  };
}

/** The recorded attempts among the rows, without what was sent and received: that is read for one attempt at a time. */
export function attemptsOf(rows: readonly TimelineRow[]): readonly HistoryRow[] {
  return rows.flatMap((row): readonly HistoryRow[] => {
    const { callId, nodeId, phase, visit, round, attempt, outcome, statusCode, note, from, to } = row;
    if (callId === undefined) return [];
    return [
      {
        callId,
        nodeId,
        stepIndex: -1,
        phase,
        visit,
        round,
        attempt,
        outcome,
        statusCode,
        error: note,
        stepStartedAt: from,
        latencyMillis: to === undefined ? undefined : to - from,
        isRequestCut: false,
        isResponseCut: false,
      },
    ];
  });
}
