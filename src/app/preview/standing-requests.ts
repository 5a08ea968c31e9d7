import type { Run } from '../../core/run.ts';
import type { CallRow, Exchange } from '../../core/history.ts';
import { type JsonObject, roughSize } from '../../core/value/json.ts';
import { maxPageBytes } from '../../ports/listing.ts';
import type { ExecutionDetail } from '../../ports/records.ts';
import type { EffectRow } from '../../ports/store.ts';
import { placesOf } from '../../core/context/scope.ts';
import { turns } from '../../engine/turns.ts';
import type { AppContext } from '../context.ts';
import { itemField } from '../queries/history.ts';
import { PreviewBudget } from './preview-budget.ts';
import { runOf } from '../queries/run-view.ts';
import { maxPreviews, pageOf, type PreviewPage, type PreviewRange, renderForward } from './rendering.ts';

/** Page size and pages of attempts read to find the requests of standing effects. */
const callPage = 1000;
const callPages = 10;

/**
 * Characters of found requests kept in memory: enough for a page. Further requests are rendered again when a page needs
 * them.
 */
const maxFoundCalls = 2 * maxPageBytes;

/** The requests of effects that stand, or would stand, as the history recorded them; a request without a record is rendered again. */
export async function standingRequests(
  app: AppContext,
  detail: ExecutionDetail,
  effects: readonly EffectRow[],
  range: PreviewRange,
): Promise<PreviewPage> {
  const standing = effects.slice(0, maxPreviews);
  const wanted = standing.slice(range.skip);
  const calls = wanted.length === 0 ? new Map<string, FoundCall>() : await forwardCalls(app, detail.id, wanted);
  let run: Run | undefined;
  return pageOf(app, standing, range, async (effect, budget) => {
    const { target } = effect;
    const { nodeId, visit } = target;
    const found = calls.get(callKey(target));
    if (found === undefined) run ??= await runOf(app, detail);
    const request = found ?? (run && (await renderForward(app, run, effect, budget)));
    return request && { nodeId, visit, ...request, stands: true };
  });
}

/** The part of an exchange that a preview shows. */
type FoundCall = JsonObject;

function foundCall({ verb, url, requestHeaders, requestBody, requestBodyTruncated }: Exchange): FoundCall {
  return {
    verb,
    url,
    headers: requestHeaders,
    body: requestBody ?? null,
    ...(requestBodyTruncated === true && { bodyTruncated: true }),
  };
}

async function forwardCalls(
  app: AppContext,
  id: string,
  standing: readonly EffectRow[],
): Promise<ReadonlyMap<string, FoundCall>> {
  const wanted = new Set(standing.map(({ target }) => callKey(target)));
  const found = new Map<string, FoundCall>();
  let size = 0;
  let cursor: string | undefined;
  for (let page = 0; page < callPages && found.size < wanted.size && size < maxFoundCalls; page++) {
    const { items, cursor: next } = await app.store.listCalls(id, {
      limit: callPage,
      order: 'desc',
      ...(cursor !== undefined && { cursor }),
    });
    for (const row of items) {
      const key = callKey(row);
      if (row.phase !== 'UP' || row.exchange === undefined || !wanted.has(key) || found.has(key)) continue;
      const call = foundCall(row.exchange);
      size += roughSize(call, maxFoundCalls);
      found.set(key, call);
    }
    if (next === undefined) break;
    cursor = next;
  }
  return found;
}

function callKey({ nodeId, visit, round }: Pick<CallRow, 'nodeId' | 'visit' | 'round'>): string {
  return `${String(round)} ${String(visit)} ${nodeId}`;
}

/** Largest number of effects that would stand in a preview. */
const maxStands = 200;

/** What would stand after a change: the visits and the requests that made the effects, without headers and bodies. Masked. */
export async function standsOf(
  app: AppContext,
  run: Run,
  effects: readonly EffectRow[],
): Promise<readonly JsonObject[]> {
  const wanted = effects.slice(0, maxStands);
  const calls = wanted.length === 0 ? new Map<string, FoundCall>() : await forwardCalls(app, run.header.id, wanted);
  const budget = new PreviewBudget();
  const documents: JsonObject[] = [];
  for (const row of wanted) {
    await turns.next();
    const { target, effect } = row;
    const found = calls.get(callKey(target));
    const request = found ?? (budget.isSpent ? undefined : await renderForward(app, run, row, budget));
    const document = {
      nodeId: target.nodeId,
      visit: target.visit,
      ...itemField(placesOf(target.scope)),
      round: target.round,
      outcome: effect ?? 'unknown',
      verb: request?.['verb'] ?? '',
      url: request?.['url'] ?? '',
    };
    documents.push(app.masker.json(document) as JsonObject);
  }
  return documents;
}
