import * as shape from './documents/schema.ts';
import type { Schema } from './documents/schema.ts';
import type { ExecutionStatus } from '../core/state.ts';
import { type Place, placeStates } from '../core/view/place.ts';
import type { FindFilter } from '../app/queries/find.ts';
import { originOf, placeOf } from '../engine/call/gate/origin.ts';
import { statusNames } from './documents/documents.ts';
import { ApiError } from './http/failure.ts';
import { filterText, instantOf, maxFilterLength } from './parameters.ts';

const text = filterText();

/** Labels per filter. Each costs one more check for every execution that the others leave. */
const maxLabels = 8;

/** Characters of a label in a filter: more than any stored label has, escapes included. */
const maxLabelLength = 2 * maxFilterLength;

/** The items of lists in a filter, and their bounds. */
export const filterLists: Readonly<
  Record<'status' | 'label' | 'state' | 'callStatus', Readonly<Record<string, unknown>>>
> = {
  status: { items: shape.oneOf([...statusNames]), maxItems: statusNames.length },
  label: { items: shape.string({ maxLength: maxLabelLength }), maxItems: maxLabels },
  state: { items: shape.oneOf([...placeStates]), maxItems: placeStates.length },
  callStatus: { items: shape.string({ maxLength: 3 }), maxItems: 20 },
};

/** The filter of executions, as query parameters of the list and as a field of a bulk request. */
export const filterFields: Readonly<Record<string, Schema>> = {
  status: shape.optional({ type: 'array', ...filterLists.status, description: 'Repeatable.' }),
  name: text,
  version: text,
  label: shape.optional({
    type: 'array',
    ...filterLists.label,
    description: `name:value, with \\: for a colon and \\\\ for a backslash in the name; repeatable up to ${String(maxLabels)} times, all must hold.`,
  }),
  reason: text,
  failedNodeId: text,
  host: filterText(
    'Executions whose place waits for this host, or that failed at it; a URL stands for its host and port; on any port if none is given.',
  ),
  hook: shape.optional({
    ...shape.oneOf(['pending', 'failed']),
    description: 'Only those that are over and whose hook is still to be delivered, or was given up.',
  }),
  standing: shape.optional(
    shape.oneOfMixed(['true', 'false', 'unknown', 'succeeded', true, false], {
      description:
        'true: only those whose effects stand; unknown: only those with effects of unknown outcome; succeeded: only those with others alone.',
    }),
  ),
  state: shape.optional({
    type: 'array',
    ...filterLists.state,
    description: 'Only runs whose place is in this state; repeatable. Absent once over.',
  }),
  nodeId: filterText('Only runs whose place is this node.'),
  hold: filterText('Only runs whose place waits for the hold with this id.'),
  stuck: shape.optional(
    shape.boolean({ description: 'true: only runs that are due or run without a checkpoint for too long.' }),
  ),
  idPrefix: shape.optional(
    shape.string({
      maxLength: 36,
      description: 'The beginning of the id: 4 to 36 of 0-9, a-f and hyphens, which may be left out.',
    }),
  ),
  callStatus: shape.optional({
    type: 'array',
    ...filterLists.callStatus,
    description: 'Only runs that the answer of a call made fail: a status code, or a class like 4xx; repeatable.',
  }),
  parent: shape.optional(
    shape.string({ format: 'uuid', description: 'Only executions that this one started itself.' }),
  ),
  root: shape.optional(
    shape.boolean({ description: 'true: only executions that no other one started; false: only others.' }),
  ),
  startedAfter: text,
  startedBefore: text,
  completedAfter: text,
  completedBefore: text,
};

/** The fields as received, once they are valid. */
export interface FilterQuery {
  readonly status?: readonly ExecutionStatus[];
  readonly name?: string;
  readonly version?: string;
  readonly label?: readonly string[];
  readonly reason?: string;
  readonly failedNodeId?: string;
  readonly host?: string;
  readonly hook?: 'pending' | 'failed';
  readonly standing?: boolean | 'true' | 'false' | 'unknown' | 'succeeded';
  readonly state?: readonly Place['state'][];
  readonly nodeId?: string;
  readonly hold?: string;
  readonly stuck?: boolean;
  readonly idPrefix?: string;
  readonly callStatus?: readonly string[];
  readonly parent?: string;
  readonly root?: boolean;
  readonly startedAfter?: string;
  readonly startedBefore?: string;
  readonly completedAfter?: string;
  readonly completedBefore?: string;
}

/**
 * Converts the fields to a filter.
 *
 * @throws ApiError `invalid_request` for an invalid label, host or instant.
 */
export function filterOf(query: FilterQuery): FindFilter {
  const { status, name, version, label, reason, failedNodeId, hook, standing, parent, root } = query;
  const { state, nodeId, hold, stuck, idPrefix, callStatus } = query;
  const host = query.host === undefined ? undefined : hostOf(query.host);
  const instants = {
    startedAfter: instantOf('startedAfter', query.startedAfter),
    startedBefore: instantOf('startedBefore', query.startedBefore),
    completedAfter: instantOf('completedAfter', query.completedAfter),
    completedBefore: instantOf('completedBefore', query.completedBefore),
  };
  const labels = label === undefined ? undefined : labelsOf(label);
  // A label has one value, so two requested values match nothing.
  const statuses = labels === 'contradiction' ? [] : status;
  return {
    ...(statuses !== undefined && { statuses }),
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    ...(labels !== undefined && labels !== 'contradiction' && { labels }),
    ...(reason !== undefined && { reason }),
    ...(failedNodeId !== undefined && { failedNodeId }),
    ...(host !== undefined && { host }),
    ...(hook !== undefined && { hook }),
    ...(standing !== undefined && { standing: standingOf(standing) }),
    ...(state !== undefined && { states: state }),
    ...(nodeId !== undefined && { nodeId }),
    ...(hold !== undefined && { hold }),
    ...(stuck === true && { stuck }),
    ...(idPrefix !== undefined && { ids: idsOf(idPrefix) }),
    ...(callStatus !== undefined && { callStatuses: callStatus.map((text) => codesOf(text)) }),
    ...(parent !== undefined && { parent: parent.toLowerCase() }),
    ...(root !== undefined && { root }),
    ...(Object.fromEntries(Object.entries(instants).filter(([, value]) => value !== undefined)) as Partial<
      Record<keyof typeof instants, number>
    >),
  };
}

function standingOf(standing: NonNullable<FilterQuery['standing']>): boolean | 'unknown' | 'succeeded' {
  if (standing === 'true' || standing === 'false') return standing === 'true';
  return standing;
}

/** The first and the last id with these digits at its beginning. */
function idsOf(prefix: string): readonly [first: string, last: string] {
  const digits = prefix.toLowerCase().replaceAll('-', '');
  if (!/^[0-9a-f-]{4,36}$/i.test(prefix) || digits.length < 4 || digits.length > 32) {
    throw new ApiError('invalid_request', 'idPrefix: Must be 4 to 36 of 0-9, a-f and hyphens, which may be left out.');
  }
  return [uuidOf(digits.padEnd(32, '0')), uuidOf(digits.padEnd(32, 'f'))];
}

function uuidOf(digits: string): string {
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** A status code, or a class of them. */
function codesOf(text: string): readonly [from: number, to: number] {
  if (/^[1-5]xx$/.test(text)) return [Number(text[0]) * 100, Number(text[0]) * 100 + 99];
  const code = Number(text);
  if (/^[1-5]\d\d$/.test(text)) return [code, code];
  throw new ApiError('invalid_request', 'callStatus: Must be a status code from 100 to 599, or a class like 4xx.');
}

/** A host as states have it, or the origin of a URL. */
function hostOf(text: string): string {
  const written = text.trim();
  const host = /^https?:\/\/[^/?#@\\]+\/?$/i.test(written) ? originOf(written)?.hostPort : placeOf(written);
  if (host !== undefined) return host;
  throw new ApiError(
    'invalid_request',
    'host: Must be a host name or an IP address, with a port or without, or a URL, like bank.example, 10.0.0.7:8443 or https://bank.example.',
  );
}

/** `name:value`. In the name, a backslash escapes a colon or a backslash; the value is literal. */
const labelForm = /^((?:\\[:\\]|\\(?![:\\])|[^:\\])+):(.*)$/s;
const escaped = /\\([:\\])/g;

function labelsOf(pairs: readonly string[]): Readonly<Record<string, string>> | 'contradiction' {
  const labels = new Map<string, string>();
  let isContradiction = false;
  for (const pair of pairs) {
    const [, written, value] = labelForm.exec(pair) ?? [];
    if (written === undefined || value === undefined) {
      const sentence = String.raw`label: Must be of the form name:value, where a colon within the name is written \:.`;
      throw new ApiError('invalid_request', sentence);
    }
    const name = written.replaceAll(escaped, '$1');
    isContradiction ||= labels.has(name) && labels.get(name) !== value;
    labels.set(name, value);
  }
  return isContradiction ? 'contradiction' : Object.fromEntries(labels);
}
