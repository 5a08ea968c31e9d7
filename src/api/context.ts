import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Json, type JsonObject, stringifyJson } from '../core/value/json.ts';
import type { Page } from '../ports/records.ts';
import type { AppContext } from '../app/context.ts';
import type { AnswerPlaces } from './http/answer-places.ts';
import { turns } from '../engine/turns.ts';
import type { Audit } from './audit.ts';
import type { CallbackLimits } from './http/callback-limits.ts';
import type { ApiLog } from './http/failure.ts';
import type { OpenRequests } from './http/open-requests.ts';

/** Dependencies of the routes. */
export interface ApiContext {
  /** Not limited to a principal; for callbacks, which their token authorises. */
  readonly app: AppContext;
  /** Limited to what the principal of a request may see. For reads; changes go through `audit`. */
  readonly appFor: (request: FastifyRequest) => AppContext;
  readonly audit: Audit;
  readonly callbackLimits: CallbackLimits;
  readonly open: OpenRequests;
  readonly answers: AnswerPlaces;
  readonly log: ApiLog;
}

/**
 * Returns the body of a document for the handler to return, and sets status and type. Serialises without a response
 * schema, so that numbers keep their digits. (A handler that returns the reply itself would wait for the end of the
 * response.)
 */
export function jsonBody(reply: FastifyReply, value: Json, status = 200): string {
  const begun = performance.now();
  const text = stringifyJson(value);
  reply.server.workDone(reply.request, begun);
  return jsonTextBody(reply, text, status);
}

/** Like {@link jsonBody} for a long list: yields to other work between items. */
export async function jsonListBody(reply: FastifyReply, items: readonly Json[]): Promise<string> {
  const texts: string[] = [];
  for (const item of items) {
    await turns.next();
    texts.push(stringifyJson(item));
  }
  return jsonTextBody(reply, `[${texts.join(',')}]`);
}

/** Like {@link jsonListBody} for a page, whose cursor stands in a header. */
export function jsonPageBody(reply: FastifyReply, { items, cursor }: Page<JsonObject>): Promise<string> {
  if (cursor !== undefined) reply.header('x-next-cursor', cursor);
  return jsonListBody(reply, items);
}

/** Like {@link jsonBody} for a document that is already text. */
export function jsonTextBody(reply: FastifyReply, text: string, status = 200): string {
  reply.code(status).type('application/json; charset=utf-8');
  return text;
}
