import * as shape from './documents/schema.ts';
import type { Schema } from './documents/schema.ts';
import type { ExecutionStatus } from '../core/state.ts';
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
export const filterLists: Readonly<Record<'status' | 'label', Readonly<Record<string, unknown>>>> = {
  status: { items: shape.oneOf([...statusNames]), maxItems: statusNames.length },
  label: { items: shape.string({ maxLength: maxLabelLength }), maxItems: maxLabels },
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
  standing: shape.optional(shape.boolean({ description: 'true: only those whose effects stand.' })),
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
  readonly standing?: boolean;
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
    ...(standing !== undefined && { standing }),
    ...(parent !== undefined && { parent: parent.toLowerCase() }),
    ...(root !== undefined && { root }),
    ...(Object.fromEntries(Object.entries(instants).filter(([, value]) => value !== undefined)) as Partial<
      Record<keyof typeof instants, number>
    >),
  };
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
