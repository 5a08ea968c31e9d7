import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as shape from '../documents/schema.ts';
import { stringifyJson } from '../../core/value/json.ts';
import type { CallbackRequest, JudgedToken } from '../../app/callbacks.ts';
import { judgeToken, receiveCallback } from '../../app/callbacks.ts';
import { decodeText } from '../../content/charset.ts';
import { isJsonType } from '../../content/media-type.ts';
import { decodeBody } from '../http/coded-body.ts';
import { type ApiContext, jsonTextBody } from '../context.ts';
import { acceptedDocument, errorDocument } from '../documents/documents.ts';
import { refusalBody, sendError } from '../http/failure.ts';
import { readJsonBytes } from '../http/json-body.ts';
import { addressOf, headerOf, idOf } from '../parameters.ts';
import { errorPageBody, pageBody, wantsPage } from '../page.ts';
import { answers } from '../documents/route-documentation.ts';
import { confirmationOf, isForm } from './callback-page.ts';
import { uuid } from '../validation.ts';

const id = shape.string({ format: 'uuid' });
const parameters = shape.object({ id, nodeId: shape.string() });
const signedParameters = shape.object({ id, nodeId: shape.string(), token: shape.string() });

const documentation = {
  tag: 'callbacks',
  body: shape.any({ description: 'JSON, text (kept as a string), or empty (null).' }),
  answers: answers(
    {
      200: { description: 'The same token and body were accepted before.', schema: acceptedDocument },
      202: { description: 'Accepted.', schema: acceptedDocument },
    },
    [400, 401, 404, 409, 410, 413, 415, 429, 503],
    errorDocument,
  ),
} as const;

const mediaType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(?:;|$)/;

/** Bytes of a body that are read although its token is forged. */
const maxForgedBytes = 65_536;

declare module 'fastify' {
  interface FastifyRequest {
    /** The token of a callback, judged before its body is read. */
    callbackToken: JudgedToken | null;
  }
}

/**
 * Registers the callback routes below the plugin's prefix, in a scope whose bodies are raw bytes. They are open to any
 * client with a token, in a header or as the last segment of a signed URL.
 */
export function callbackRoutes(server: FastifyInstance, api: ApiContext): void {
  server.register((scope, _options, done) => {
    scope.decorateRequest('callbackToken', null);
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body: Buffer, parsed) => {
      decodeBody(request, body, 'callback_malformed', (error, decoded) => {
        if (error !== null && error.code !== 'too_large') api.app.callbacks?.rejected('malformed');
        parsed(error, decoded);
      });
    });
    scope.addHook('onRequest', (request, reply, done) => {
      // Fastify refuses a malformed media type before any parser runs; a callback must not be lost because of that.
      const { headers } = request.raw;
      if (!mediaType.test(headers['content-type'] ?? '')) delete headers['content-type'];
      if (!api.callbackLimits.takeAddress(addressOf(request))) {
        api.app.callbacks?.rejected('rate_limited');
        // The body has not been read and will not be.
        sendError(reply.header('connection', 'close'), 'rate_limited', ['Too many callbacks came from this address.']);
        return;
      }
      const token = judgeToken(api.app, tokenOf(request));
      request.callbackToken = token;
      if (token.ok || mustBeRead(request, token)) {
        done();
        return;
      }
      api.app.callbacks?.rejected(token.reason);
      // A program may accept HTML, too, but sends no form.
      if (wantsPage(request) && isForm(headers['content-type']))
        void reply.send(errorPageBody(reply, token.refusal.code, token.refusal.errors));
      else sendError(reply, token.refusal.code, token.refusal.errors);
    });
    const handle = (request: FastifyRequest, reply: FastifyReply): Promise<string> => receive(api, request, reply);
    scope.post(
      '/:id/node/:nodeId/callback',
      {
        schema: { params: parameters },
        config: {
          documentation: {
            summary: 'Finish an async node, with its token in a header',
            headers: { 'X-Callback-Token': 'runtime.callback.token of the request.' },
            ...documentation,
          },
        },
      },
      handle,
    );
    scope.post(
      '/:id/node/:nodeId/callback/:token',
      {
        schema: { params: signedParameters },
        config: { documentation: { summary: 'Finish an async node by its signed URL', ...documentation } },
      },
      handle,
    );
    done();
  });
}

/**
 * The token of the URL or of the header. Two different tokens count as none, since it is unclear which one the sender
 * means.
 */
function tokenOf(request: FastifyRequest): string | undefined {
  const inHeader = headerOf(request.headers, 'x-callback-token');
  const { token = inHeader } = request.params as { readonly token?: string };
  return inHeader === undefined || inHeader === token ? token : undefined;
}

/**
 * Whether the body of a callback with a bad token must be read: the id is malformed, or the token is forged and the
 * body may be malformed JSON, which is answered first. At most {@link maxForgedBytes} are read for this, and no content
 * coding is decoded, since it could expand them.
 */
function mustBeRead({ params, headers }: FastifyRequest, token: Extract<JudgedToken, { ok: false }>): boolean {
  if (!uuid.test((params as { readonly id: string }).id)) return true;
  if (headers['content-encoding'] !== undefined) return false;
  if (token.reason === 'malformed' || !isJsonType(headers['content-type'] ?? '')) return false;
  const length = Number(headers['content-length'] ?? Infinity);
  return length > 0 && length <= maxForgedBytes;
}

async function receive(api: ApiContext, request: FastifyRequest, reply: FastifyReply): Promise<string> {
  const { nodeId } = request.params as { readonly nodeId: string };
  const token = request.callbackToken ?? judgeToken(api.app, undefined);
  const sent = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const confirmation = confirmationOf(sent, request.headers['content-type']);
  // Equal answers must have equal bytes, however a browser encodes its form.
  const bytes = confirmation === undefined ? sent : Buffer.from(stringifyJson(confirmation));
  const id = idOf(request.params);
  const answer = await receiveCallback(api.app, {
    executionId: id,
    nodeId,
    token,
    bytes,
    body: () =>
      confirmation === undefined ? readBody(bytes, request.headers['content-type']) : { ok: true, value: confirmation },
    mayGetOne: (executionId) => api.callbackLimits.takeExecution(executionId),
  });
  const isForPerson = confirmation !== undefined && wantsPage(request);
  if (!answer.ok) return isForPerson ? errorPageBody(reply, answer.code, answer.errors) : refusalBody(reply, answer);
  const { duplicate, pending } = answer.value;
  if (isForPerson) {
    const status = duplicate && !pending ? 200 : 202;
    return pageBody(
      reply,
      { title: 'Thank you', paragraphs: ['Your answer has been taken in. You can close this page.'] },
      status,
    );
  }
  // A repeated pending body gets the same answer as the first time.
  return jsonTextBody(
    reply,
    `{"id":"${id}","status":"${pending ? 'PENDING' : 'ACCEPTED'}"}`,
    duplicate && !pending ? 200 : 202,
  );
}

/** Parses JSON if the content type declares it; returns any other body as a string, and null if it is empty. */
function readBody(bytes: Buffer, contentType: string | undefined): ReturnType<CallbackRequest['body']> {
  if (bytes.length === 0) return { ok: true, value: null };
  if (isJsonType(contentType ?? '')) {
    const read = readJsonBytes(bytes, contentType);
    return read.ok ? read : { ok: false, error: read.error };
  }
  const text = decodeText(bytes, contentType);
  return typeof text === 'string' ? { ok: true, value: text } : { ok: false, error: `The body ${text.problem}.` };
}
