import { conditionContext } from '../context/context-of.ts';
import { itemScope, itemsOf, loopScope } from '../context/scope.ts';
import type { Draft } from '../draft.ts';
import { quietRow } from './quiet-row.ts';
import type { ForEachPlan } from '../plan.ts';
import type { AttemptFailure, ItemEnd, ItemFailure, Loop, Stage, Token } from '../state.ts';
import { evaluateValue } from '../template/value.ts';
import { type Json, stringifyJson } from '../value/json.ts';
import { utf8Length } from '../value/utf8.ts';

/** A token that loops over items. */
export type Looping = Token & { readonly stage: Extract<Stage, { kind: 'looping' }> };

/** Maximum size of the results of a loop together, and of its body, as JSON in bytes. */
export const maxResultBytes = 1_048_576;

/** Maximum number of failures that the body of a loop names; the first ones to fail. */
export const maxNamedFailures = 100;

/** Size of ended items, as JSON in bytes, from which on they move from the state into a row. */
const endsPerRowBytes = 4_096;

/** The loop at which a token is. Throws if its node is none. */
export function loopNode(d: Draft, id: string): ForEachPlan {
  const node = d.node(id);
  if (node.kind !== 'forEach') throw new Error(`Node ${JSON.stringify(id)} is no forEach.`);
  return node;
}

/** The loop that waits for the innermost item of a scope; undefined if it is gone because its own scope fails. */
export function loopOf(d: Draft, scope: string): Looping | undefined {
  const item = itemsOf(scope).at(-1);
  if (item === undefined) return undefined;
  return d.tokens.find(
    (other): other is Looping => other.stage.kind === 'looping' && other.stage.loop.ord === item.ord,
  );
}

/** The scope of all items of a loop. */
export function scopeOfLoop({ scope, nodeId, stage: { loop } }: Looping): string {
  return loopScope(scope, nodeId, loop.visit, loop.ord);
}

/** Begins the next item: a token of its own at the entry of the body. */
export function beginItem(d: Draft, token: Looping): void {
  const { loop } = token.stage;
  const { ord: start } = d.state;
  const scope = itemScope(scopeOfLoop(token), start, loop.next);
  const running = [...loop.running, { place: loop.next, start, visits: 0 }];
  d.move(token, { ...token.stage, loop: { ...loop, next: loop.next + 1, running } });
  d.put({
    id: d.newTokenId(),
    scope,
    nodeId: loopNode(d, token.nodeId).entry,
    ...(token.prev === undefined ? undefined : { prev: token.prev }),
    stage: { kind: 'ready' },
  });
}

/**
 * The result of an item whose last node is done: what `collect` says, by default the last response body within the
 * item. Or why it could not be made.
 */
export function resultOf(
  d: Draft,
  token: Token,
  { collect }: ForEachPlan,
): { readonly ok: true; readonly value?: Json } | { readonly ok: false; readonly error: string } {
  if (collect === false) return { ok: true };
  if (collect !== undefined) return evaluateValue(collect, conditionContext(d.run, token, d.env), d);
  const start = itemsOf(token.scope).at(-1)?.start ?? 0;
  const { prev } = token;
  const own = prev !== undefined && prev.ord > start ? d.outputs.at(prev) : undefined;
  return { ok: true, value: own?.response?.body ?? null };
}

/** Records the end of an item in its loop, and removes its token. */
export function endItem(d: Draft, token: Token, end: Omit<ItemEnd, 'place'>): Looping | undefined {
  d.remove(token);
  const item = itemsOf(token.scope).at(-1);
  const parent = loopOf(d, token.scope);
  if (item === undefined || parent === undefined) return undefined;
  d.outputs = d.outputs.without(item.scope);
  d.signal({ kind: 'item', nodeId: parent.nodeId, status: end.status });
  const { loop } = parent.stage;
  const running = loop.running.filter(({ place }) => place !== item.place);
  const failed = loop.failed + (end.status === 'SUCCEEDED' ? 0 : 1);
  const counted: Loop = { ...loop, running, ended: loop.ended + 1, failed };
  return d.move(parent, { ...parent.stage, loop: kept(d, parent, counted, { place: item.place, ...end }) }) as Looping;
}

/** Keeps an ended item, as far as there is room: failures always, results until they are too large together. */
function kept(d: Draft, parent: Looping, loop: Loop, end: ItemEnd): Loop {
  const isNamed = end.failure !== undefined && loop.failed <= maxNamedFailures;
  if (loop.isCut === true && !isNamed) return loop;
  const bytes = utf8Length(stringifyJson(end as unknown as Json)) + 1;
  const isCut = loop.isCut === true || loop.bytes + bytes > maxResultBytes;
  if (isCut && !isNamed) return { ...loop, bytes: loop.bytes + bytes, isCut: true };
  const next: Loop = {
    ...loop,
    ends: [...loop.ends, end],
    endBytes: loop.endBytes + bytes,
    bytes: loop.bytes + bytes,
    ...(isCut ? { isCut: true as const } : undefined),
  };
  if (next.endBytes < endsPerRowBytes) return next;
  const row = d.step({
    ...quietRow(d, parent, d.node(parent.nodeId), loop.visit, parent.stage.since),
    phase: 'FOREACH',
    outcome: 'succeeded',
    output: { ends: next.ends },
    final: false,
    repeat: true,
    refOnly: true,
  });
  return { ...next, ends: [], endBytes: 0, endRows: [...next.endRows, row.ord] };
}

/** All ended items that were kept, in the order of their places. */
export function endsOf(d: Draft, { ends, endRows }: Loop): readonly ItemEnd[] {
  return [...endRows.flatMap((ord) => d.outputs.endsAt(ord)), ...ends].sort((a, b) => a.place - b.place);
}

/** A failure as an item's result and the state name it. */
export function itemFailure(nodeId: string, { outcome, reason, statusCode }: AttemptFailure): ItemFailure {
  return { nodeId, outcome, reason, ...(statusCode === undefined ? undefined : { statusCode }) };
}
