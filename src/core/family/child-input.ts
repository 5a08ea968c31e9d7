import { missingPayload } from '../context/required-payload.ts';
import { labelLimits } from '../definition/limits.ts';
import type { Plan, WorkflowPlan } from '../plan.ts';
import type { ExecutionHeader } from '../run.ts';
import { isJsonObject, type Json, type JsonObject } from '../value/json.ts';

/** What a visit of a `workflow` node starts an execution with. */
export interface ChildInput {
  readonly payload: JsonObject;
  readonly labels: Readonly<Record<string, string>>;
}

/** The parent, as far as its children take something from it. */
export interface ChildOf {
  readonly header: Pick<ExecutionHeader, 'labels'>;
  readonly plan: Pick<Plan, 'labels'>;
}

/**
 * The input of a child from the evaluated values of its node, or a sentence that says why it cannot be started with them. Its labels are those
 * of its definition, then those that the run of the parent was given, then those of the node.
 */
export function childInput(
  parent: ChildOf,
  node: WorkflowPlan,
  child: Plan,
  values: { readonly payload: Json; readonly labels: Json },
): ChildInput | { readonly refusal: string } {
  const { payload } = values;
  if (!isJsonObject(payload)) return { refusal: `The payload of ${node.id} is no object.` };
  const missing = missingPayload(child, payload);
  if (missing.length > 0) {
    const said = `requires a value at ${missing.join(', ')}, which the payload of ${node.id} does not have.`;
    return { refusal: `The definition ${startedBy(node)} ${said}` };
  }
  const labels = childLabels(parent, node, child, values.labels);
  return typeof labels === 'string' ? { refusal: labels } : { payload, labels };
}

/** The definition that a node starts, in a sentence. */
export function startedBy({ definition: { name, version } }: WorkflowPlan): string {
  return `${JSON.stringify(name)} with version ${JSON.stringify(version)}`;
}

function childLabels(
  { header, plan }: ChildOf,
  node: WorkflowPlan,
  child: Plan,
  own: Json,
): Readonly<Record<string, string>> | string {
  if (!isJsonObject(own)) return `The labels of ${node.id} are no object.`;
  const given = Object.entries(header.labels).filter(([key, value]) => plan.labels?.[key] !== value);
  const added = Object.entries(own).filter(([, value]) => value !== null);
  for (const [key, value] of added) {
    if (typeof value !== 'string') return `The label ${JSON.stringify(key)} of ${node.id} is no text.`;
    const { key: keyLength, value: valueLength } = labelLimits;
    if (key === '' || key.length > keyLength || value.length > valueLength) {
      return `The label ${JSON.stringify(key.slice(0, keyLength))} of ${node.id} is empty or too long.`;
    }
  }
  const labels = {
    ...child.labels,
    ...Object.fromEntries(given),
    ...Object.fromEntries(added as [string, string][]),
  };
  const count = Object.keys(labels).length;
  if (count <= labelLimits.count) return labels;
  return `The run that ${node.id} starts would have ${String(count)} labels; it can have ${String(labelLimits.count)}.`;
}
