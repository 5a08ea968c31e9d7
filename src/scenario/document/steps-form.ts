/**
 * Reads the scenario form of existing Trama, by steps: `{ payload, steps: { "<node>": { status, body, acceptedStatus,
 * callbackBody } } }`.
 *
 * `status` and `body` are the answer to a node's call. An async node is accepted with `acceptedStatus` and called back
 * with `callbackBody`, or with `{}` where the scenario names no body and the request is accepted. A list gives one
 * answer per call. `up` and `down` replace these fields and hold answers in the form by nodes.
 *
 * An answer may also be a bare status code, and `statusCode`, `delayMillis` and `latencyMillis` mean `status` and
 * `afterMillis`. Everything else is as in the form by nodes, into which this file rewrites a scenario before the
 * checks.
 */
import { at, closest, quote, show } from '../../core/definition/problems.ts';
import type { Problems } from '../../core/definition/problems.ts';
import { toNumber } from '../../core/definition/shape/shape-check.ts';
import { isJsonObject, isRawNumber, ownProperty } from '../../core/value/json.ts';
import type { Json, JsonObject } from '../../core/value/json.ts';
import type { NodePlan, Plan, TaskPlan } from '../../core/plan.ts';

const otherNames: Readonly<Record<string, string>> = {
  statusCode: 'status',
  delayMillis: 'afterMillis',
  latencyMillis: 'afterMillis',
};

/** Fields of a step that describe its call without `up`. */
const plainFields: readonly string[] = [
  'status',
  'body',
  'acceptedStatus',
  'callbackBody',
  'headers',
  'afterMillis',
  'error',
  'callback',
  ...Object.keys(otherNames),
];

const stepFields: readonly string[] = [...plainFields, 'up', 'down'];

/** A scenario in the form by nodes, and the original paths of its parts. */
export interface FromSteps {
  readonly document: JsonObject;
  /** Rewrites a sentence about the form by nodes with the paths of the form by steps. */
  place(sentence: string): string;
}

/** Whether a document is in the form by steps. */
export function hasStepsForm(document: JsonObject): boolean {
  return isJsonObject(ownProperty(document, 'steps'));
}

/** Rewrites a scenario to the form by nodes. Reports what it cannot read. */
export function fromStepsForm(document: JsonObject, plan: Plan, problems: Problems): FromSteps {
  const { steps, nodes, ...rest } = document;
  if (nodes !== undefined && nodes !== null) problems.error('nodes', 'This field cannot stand beside steps.');
  const reader = new StepsReader(problems);
  for (const [name, step] of Object.entries(isJsonObject(steps) ? steps : {})) {
    reader.read(name, step, plan.nodes.get(name));
  }
  return { document: { ...rest, nodes: Object.fromEntries(reader.answers) }, place: (line) => reader.place(line) };
}

class StepsReader {
  readonly answers: [string, Json][] = [];
  readonly #problems: Problems;
  /** Paths in the form by nodes and their originals; the more exact ones first. */
  readonly #places: [string, string][] = [];

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  read(name: string, step: Json, node: NodePlan | undefined): void {
    const path = at('steps', name);
    if (!isJsonObject(step)) {
      if (Array.isArray(step) || isStatus(step)) this.#plain(name, step, path, node);
      else this.#problems.error(path, `Must be an object with ${known(plainFields)}, not ${show(step)}.`);
      return;
    }
    for (const key of Object.keys(step)) {
      if (stepFields.includes(key)) continue;
      const hint = closest(key, stepFields);
      const also = hint === undefined ? `known are ${known(stepFields)}` : `did you mean ${quote(hint)}?`;
      this.#problems.error(at(path, key), `This field is unknown here; ${also}${hint === undefined ? '.' : ''}`);
    }
    const up = ownProperty(step, 'up') ?? undefined;
    const down = ownProperty(step, 'down') ?? undefined;
    // As in the form by nodes, null is a body; for every other field it means the same as its absence.
    const plain = Object.keys(step).filter(
      (key) => plainFields.includes(key) && (step[key] !== null || key === 'body' || key === 'callbackBody'),
    );
    const [first] = plain;
    if (up !== undefined && first !== undefined) {
      this.#problems.error(at(path, first), 'This field cannot stand beside up, which holds the answers of the call.');
    } else if (first !== undefined) {
      this.#plain(name, Object.fromEntries(plain.map((key) => [key, step[key] as Json])), path, node);
    }
    if (up !== undefined) this.#nested(name, up, at(path, 'up'));
    if (down !== undefined) this.#nested(`${name}:DOWN`, down, at(path, 'down'));
  }

  /** See {@link FromSteps.place}. */
  place(sentence: string): string {
    for (const [from, to] of this.#places) {
      const rest = sentence.slice(from.length);
      if (sentence.startsWith(from) && /^[:.[]/.test(rest)) return `${to}${rest}`;
    }
    return sentence;
  }

  /** Answers in the form by nodes, below `up` or `down`. */
  #nested(call: string, value: Json, path: string): void {
    this.answers.push([call, listOf(value).map(asAnswer)]);
    if (!Array.isArray(value)) this.#places.push([at(at('nodes', call), 0), path]);
    this.#places.push([at('nodes', call), path]);
  }

  #plain(name: string, value: Json, path: string, node: NodePlan | undefined): void {
    const task = node?.kind === 'task' ? node : undefined;
    const answers = listOf(value).map((item, i) => {
      const from = Array.isArray(value) ? at(path, i) : path;
      const to = at(at('nodes', name), i);
      if (isJsonObject(item) && 'acceptedStatus' in item) {
        this.#places.push([at(to, 'status'), at(from, 'acceptedStatus')]);
      }
      this.#places.push([to, from]);
      return this.#answer(asAnswer(item), from, task);
    });
    this.answers.push([name, answers]);
    this.#places.push([at('nodes', name), path]);
  }

  #answer(answer: Json, path: string, task: TaskPlan | undefined): Json {
    if (!isJsonObject(answer)) return answer;
    const { acceptedStatus, callbackBody, ...rest } = answer;
    if (task?.mode !== 'async') {
      if ((acceptedStatus ?? callbackBody ?? null) === null) return rest;
      const field = (acceptedStatus ?? null) === null ? 'callbackBody' : 'acceptedStatus';
      if (task !== undefined) {
        this.#problems.error(
          at(path, field),
          'Only an async node is accepted and called back; a sync one has status and body.',
        );
      }
      return rest;
    }
    if (rest['callback'] !== undefined && callbackBody !== undefined) {
      this.#problems.error(at(path, 'callbackBody'), 'This field cannot stand beside callback.');
    }
    const status = acceptedStatus ?? rest['status'];
    const read = { ...rest, ...(status === undefined ? undefined : { status }) };
    if (callbackBody !== undefined) return { ...read, callback: { body: callbackBody } };
    const isSilent = rest['callback'] !== undefined || rest['error'] !== undefined || !accepts(task, status);
    return isSilent ? read : { ...read, callback: { body: {} } };
  }
}

/** Whether this answer to an async node's request accepts it; an answer without a status does. */
function accepts({ call: { success } }: TaskPlan, status: Json | undefined): boolean {
  const code = toNumber(status);
  if (code === undefined) return true;
  return success === undefined ? code >= 200 && code < 300 : success.has(code);
}

function known(fields: readonly string[]): string {
  return fields.filter((field) => !Object.hasOwn(otherNames, field)).join(', ');
}

function listOf(value: Json): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [value];
}

function isStatus(value: Json): boolean {
  return typeof value === 'number' || isRawNumber(value);
}

function asAnswer(value: Json): Json {
  if (isStatus(value)) return { status: value };
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [otherNames[key] ?? key, item]));
}
