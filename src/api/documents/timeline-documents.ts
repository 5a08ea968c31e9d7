import { stepPhases } from '../../core/history.ts';
import { placeStates } from '../../core/view/place.ts';
import { timelineKinds } from '../../core/view/timeline.ts';
import { callFields, outcomeNames } from './documents.ts';
import * as shape from './schema.ts';
import type { Schema } from './schema.ts';

const instant = (description: string): Schema => shape.string({ format: 'date-time', description });
const count = (description: string): Schema => shape.integer({ minimum: 0, description });

const outcome = shape.optional(shape.oneOf([...outcomeNames]));
const item = shape.optional(
  shape.array(shape.integer({ minimum: 0 }), {
    description: 'Within a forEach: the places of the items that it belongs to, from 0, outermost first.',
  }),
);

const node = shape.object({
  nodeId: shape.string(),
  kind: shape.string({ description: 'As in the definition.' }),
  visits: count('Of all rounds.'),
  attempts: count('Forward calls of all rounds.'),
  outcome,
  state: shape.optional(shape.oneOf([...placeStates])),
  undo: shape.optional(
    shape.object(
      {
        order: count('Counts from 1; of several visits the first that is undone.'),
        state: shape.oneOf(['PLANNED', 'PENDING', 'DONE', 'FAILED', 'RESOLVED']),
      },
      { description: 'Its compensation: PLANNED as a cancel now would run it, else as it runs or ran.' },
    ),
  ),
});

const wait = shape.optional(
  shape.object({
    for: shape.oneOf(['backoff', 'blocked', 'callback']),
    host: shape.optional(shape.string({ description: 'host:port.' })),
    holdId: shape.optional(shape.string({ description: 'The hold that blocked the call.' })),
    circuit: shape.optional(shape.boolean({ description: 'The circuit of the host was open.' })),
    place: shape.optional(shape.boolean({ description: 'The host had no free place.' })),
    retriesLeft: shape.optional(count('Of a wait that is not over.')),
  }),
);

const row = shape.object({
  seq: count('Number of its row in the history, the same in every answer; of what is not over, that of the next row.'),
  kind: shape.oneOf([...timelineKinds]),
  nodeId: shape.optional(shape.string()),
  visit: shape.optional(count('Counts from 1 in each round.')),
  item,
  round: count('Counts from 1.'),
  attempt: shape.optional(count('Counts from 1.')),
  phase: shape.optional(shape.oneOf([...stepPhases])),
  outcome,
  statusCode: shape.optional(shape.integer()),
  from: instant('When it began.'),
  to: shape.optional(instant('When it was over; absent while it is not.')),
  deadline: shape.optional(instant('When it is over at the latest.')),
  callId: shape.optional(shape.string({ description: 'Names the attempt.' })),
  wait,
  target: shape.optional(shape.string({ description: 'The node that a switch chose.' })),
  note: shape.optional(shape.string({ description: 'For people.' })),
  action: shape.optional(shape.string({ description: 'Of a control row: start, cancel, retry, resolve, ….' })),
  actor: shape.optional(shape.string({ description: 'Who asked for it.' })),
  reason: shape.optional(shape.string({ description: 'The reason that was given.' })),
});

/** The timeline of an execution. */
export const timelineDocument: Schema = shape.object({
  position: shape.string({ maxLength: 64, description: 'Where the events of the execution go on.' }),
  nodes: shape.optional(
    shape.array(node, { description: 'Every node with a row, in the order of the first; on the first page only.' }),
  ),
  rows: shape.array(row),
});

/** One attempt, and why its outcome was judged so. */
export const callDetailDocument: Schema = shape.object({
  ...callFields,
  rule: shape.object({
    code: shape.string({ description: 'Stable, such as unknown_listed.' }),
    text: shape.string({ description: 'For people: why, and why it was repeated or not.' }),
    list: shape.optional(shape.array(shape.integer(), { description: 'The status codes that decided.' })),
    source: shape.oneOf(['default', 'action', 'request', 'policy']),
  }),
});
