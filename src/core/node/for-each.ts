import { conditionContext } from '../context/context-of.ts';
import { itemsPerRow } from '../context/loop-rows.ts';
import { edgeAt } from '../definition/node-draft.ts';
import type { Compiling } from '../definition/compiling.ts';
import { show } from '../definition/problems.ts';
import type { NodeDraft } from '../definition/node-draft.ts';
import { json, next, nodeShape, optional, reference, required } from '../definition/shape/fields.ts';
import { present, toNumber } from '../definition/shape/shape-check.ts';
import { compileValue } from '../definition/value-plan.ts';
import type { Draft } from '../draft.ts';
import type { ForEachPlan, NodeBase } from '../plan.ts';
import type { AttemptFailure, ItemEnd, Loop, Token } from '../state.ts';
import { evaluateValue } from '../template/value.ts';
import { failExecution, failToken } from '../transition/failure.ts';
import { endsOf, type Looping, maxNamedFailures, maxResultBytes } from '../transition/loop.ts';
import { goTo, noteCompleted } from '../transition/route.ts';
import { isJsonObject, type Json, type JsonObject, stringifyJson } from '../value/json.ts';
import { utf8Length } from '../value/utf8.ts';
import { nextOf, type NodeKind, placeOf, targetOf } from './kind.ts';
import { quietRow } from '../transition/quiet-row.ts';
import { maxVisits } from './visit.ts';

/** Maximum number of items of one visit. */
const maxItems = 100_000;

/** Bounds of the evaluation of `items`: steps, and bytes of the list as JSON. */
const itemLimits = { maxSteps: 1_000_000, maxBytes: 8 * 1_048_576 };

/** Maximum number of items that one loop runs at the same time. */
const maxConcurrencyCap = 256;

/** A loop over items: for each, the part of the graph that begins at `entry`. `transition/loop.ts` has the course of its items. */
export const forEachKind: NodeKind<ForEachPlan> = {
  shape: nodeShape({
    items: required(json, 'The list: a value, such as "{{payload.items}}"; null means none.'),
    entry: required(reference, 'Id of the node at which the body begins; the body ends at a node without next.'),
    maxConcurrency: optional(
      { type: 'integer', min: 1, max: maxConcurrencyCap },
      'How many items run at the same time; default 1.',
    ),
    onItemFailure: optional(
      { type: 'choice', values: ['fail', 'continue'] },
      'Whether a failed item fails the loop (default) or is compensated alone, and the others go on.',
    ),
    collect: optional(json, "What an item's result is: a value; default its last response body, false for none."),
    onFailure: optional(reference, 'Id of the node to go to when the loop fails; its items are compensated first.'),
    next,
  }),
  read(document, path) {
    const onFailure = edgeAt('onFailure', document, path);
    return {
      edges: [...edgeAt('body', document, path, 'entry'), ...edgeAt('next', document, path), ...onFailure],
      canFail: onFailure.length === 0,
      fields: ['response', 'failure'],
    };
  },
  compile: compileLoop,
  enter: beginLoop,
  settle: completeLoop,
};

/** Whether a value is certainly no list, whatever it reads. */
function isNeverList(items: Json): boolean {
  if (typeof items === 'string') return !items.includes('{{');
  if (isJsonObject(items)) return !Object.hasOwn(items, '$logic') && !Object.hasOwn(items, '$literal');
  return items !== null && !Array.isArray(items);
}

function compileLoop(node: NodeDraft, base: NodeBase, compiling: Compiling): ForEachPlan | undefined {
  const during = { kind: 'during', nodeId: base.id } as const;
  const items = compileValue(placeOf(node, 'items'), during, compiling, { isRequired: true, limits: itemLimits });
  const list = placeOf(node, 'items');
  if (list.json !== undefined && isNeverList(list.json)) {
    compiling.problems.error(list.path, `The items are a list, or a value that gives one, not ${show(list.json)}.`);
    return undefined;
  }
  const given = present(node.json, 'collect');
  const within = { ...compiling, loops: compiling.loops + 1 };
  const collect =
    given === undefined || given === false
      ? given
      : compileValue(placeOf(node, 'collect'), { kind: 'collect', nodeId: base.id }, within);
  const entry = targetOf(node, 'body');
  if (items === undefined || entry === undefined || (given !== undefined && collect === undefined)) return undefined;
  const onFailure = targetOf(node, 'onFailure');
  return {
    ...base,
    kind: 'forEach',
    items,
    entry,
    maxConcurrency: toNumber(present(node.json, 'maxConcurrency')) ?? 1,
    onItemFailure: present(node.json, 'onItemFailure') === 'continue' ? 'continue' : 'fail',
    ...(collect === undefined ? {} : { collect }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...nextOf(node),
  };
}

function beginLoop(d: Draft, token: Token, node: ForEachPlan, visit: number): void {
  const items = itemsOf(d, token, node, visit);
  if (typeof items === 'string') {
    refuse(d, token, node, visit, items);
    return;
  }
  const room = maxVisits - d.state.totalVisits;
  if (items.length > room) {
    const description = `The loop ${node.id} has ${String(items.length)} items, and the round has only ${String(room)} node visits left.`;
    failExecution(d, { status: 'FAILED', reason: 'visits', description, nodeId: node.id }, token);
    return;
  }
  const row = { ...quietRow(d, token, node, visit), phase: 'FOREACH', outcome: 'succeeded', final: false } as const;
  const begin = d.step({ ...row, output: { count: items.length } });
  for (let from = 0; from < items.length; from += itemsPerRow) {
    d.step({ ...row, output: { items: items.slice(from, from + itemsPerRow) }, repeat: true, refOnly: true });
  }
  const loop: Loop = {
    visit,
    ord: begin.ord,
    count: items.length,
    max: node.maxConcurrency,
    next: 0,
    ended: 0,
    failed: 0,
    running: [],
    ends: [],
    endBytes: 0,
    bytes: 0,
    endRows: [],
  };
  d.move(token, { kind: 'looping', since: d.now, loop });
}

/** The items, or a sentence that says why there are none. */
function itemsOf(d: Draft, token: Token, node: ForEachPlan, visit: number): readonly Json[] | string {
  const evaluated = evaluateValue(node.items, conditionContext(d.run, token, d.env, visit), d, itemLimits);
  if (!evaluated.ok) return `The items of ${node.id} could not be evaluated: ${evaluated.error}`;
  const { value } = evaluated;
  if (value === null) return [];
  if (!Array.isArray(value)) return `The items of ${node.id} are no list, but ${kindOf(value)}.`;
  const list = value as readonly Json[];
  if (list.length <= maxItems) return list;
  return `The loop ${node.id} has ${String(list.length)} items; it can have at most ${String(maxItems)}.`;
}

function kindOf(value: Json): string {
  if (typeof value === 'string') return 'a text';
  if (typeof value === 'boolean') return 'true or false';
  return typeof value === 'object' && value !== null && !('rawJSON' in value) ? 'an object' : 'a number';
}

/** Fails a visit before its first item. */
function refuse(d: Draft, token: Token, node: ForEachPlan, visit: number, description: string): void {
  const failure: AttemptFailure = {
    outcome: 'unsent',
    reason: 'unsent',
    description,
    logged: `The items of ${node.id} could not be used.`,
  };
  d.step({
    ...quietRow(d, token, node, visit),
    phase: 'FOREACH',
    outcome: 'unsent',
    final: true,
    output: { failure: { outcome: 'unsent', reason: 'unsent' } },
    note: description,
  });
  failToken(d, token, failure, { visit, undoFirst: false });
}

/** Completes a loop whose items have all ended. */
function completeLoop(d: Draft, token: Token, node: ForEachPlan): void {
  const { stage } = token;
  if (stage.kind !== 'looping') return;
  const { loop } = stage;
  const row = d.step({
    ...quietRow(d, token, node, loop.visit, stage.since),
    phase: 'FOREACH',
    outcome: 'succeeded',
    final: true,
    output: { response: { status: 200, headers: {}, body: bodyOf(d, token as Looping) } },
  });
  noteCompleted(d, node.id);
  d.signal({
    kind: 'step',
    nodeId: node.id,
    nodeKind: 'forEach',
    outcome: 'succeeded',
    durationMillis: d.now - stage.since,
  });
  goTo(d, d.put({ ...token, prev: { nodeId: node.id, ord: row.ord }, stage: { kind: 'ready' } }), node.next);
}

function bodyOf(d: Draft, { stage: { loop } }: Looping): Json {
  const ends = endsOf(d, loop);
  const failures = ends.flatMap(({ place, status, failure }) =>
    failure === undefined ? [] : [{ index: place, status, ...failure }],
  );
  const outline: JsonObject = {
    allSucceeded: loop.failed === 0,
    count: loop.count,
    failed: loop.failed,
    failures: failures.slice(0, maxNamedFailures).map(({ outcome: _outcome, ...failure }) => failure),
  };
  if (loop.isCut === true) return outline;
  const body: JsonObject = { ...outline, items: ends.map(resultIn) };
  return utf8Length(stringifyJson(body)) > maxResultBytes ? outline : body;
}

function resultIn({ status, result, failure }: ItemEnd): JsonObject {
  if (failure !== undefined) return { status, result: null, failure: { ...failure } };
  return result === undefined ? { status } : { status, result };
}
