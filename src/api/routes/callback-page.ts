import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as shape from '../documents/schema.ts';
import { unprintable } from '../../core/definition/shape/shape-check.ts';
import type { Json } from '../../core/value/json.ts';
import { findCallbackPlace } from '../../app/callback-page.ts';
import { judgeToken } from '../../app/callbacks.ts';
import type { ApiContext } from '../context.ts';
import { errorDocument } from '../documents/documents.ts';
import type { ErrorCode } from '../error-registry.ts';
import { ApiError } from '../http/failure.ts';
import { addressOf, idOf } from '../parameters.ts';
import { errorPageBody, pageBody, wantsPage } from '../page.ts';
import { answers } from '../documents/route-documentation.ts';

/** Characters of the answer that a link may carry. */
const maxAnswerLength = 64;

/** The field that marks the page's own form. */
const marker = 'trama-confirm';

const parameters = shape.object({
  id: shape.string({ format: 'uuid' }),
  nodeId: shape.string(),
  token: shape.string(),
});
// Mail services add parameters of their own to links.
const query = shape.object({
  answer: shape.optional(shape.any({ description: 'What the button answers, up to 64 characters.' })),
});

const onlyPost =
  'This address takes the answer of a program, which sends it with POST. Opening it in a browser does nothing.';

/**
 * Registers the page of a signed callback URL, below the plugin's prefix. Opening it changes nothing, because mail
 * scanners open links, too. It shows a button if the definition sets `callback.confirmPage`; otherwise it explains that
 * the URL is for programs.
 */
export function callbackPageRoute(server: FastifyInstance, api: ApiContext): void {
  server.get(
    '/:id/node/:nodeId/callback/:token',
    {
      exposeHeadRoute: true,
      schema: { params: parameters, querystring: query },
      config: {
        documentation: {
          summary: 'The signed URL in a browser: a page with a button, where the definition asks for one',
          tag: 'callbacks',
          answers: answers(
            { 200: { description: 'A page whose button calls back.', contentType: 'text/html' } },
            [400, 401, 404, 405, 410, 429, 503],
            errorDocument,
          ),
        },
      },
    },
    (request, reply) => show(api, request, reply),
  );
}

async function show(api: ApiContext, request: FastifyRequest, reply: FastifyReply): Promise<string> {
  const { nodeId, token } = request.params as { readonly nodeId: string; readonly token: string };
  if (!api.callbackLimits.takeAddress(addressOf(request))) {
    return refuse(request, reply, 'rate_limited', ['Too many requests came from this address.']);
  }
  const place = await findCallbackPlace(api.app, {
    executionId: idOf(request.params),
    nodeId,
    token: judgeToken(api.app, token),
    mayGetOne: (id) => api.callbackLimits.takeExecution(id),
  });
  if (!place.ok) return refuse(request, reply, place.code, place.errors);
  const { hasPage, name } = place.value;
  if (!hasPage) return refuse(request, reply.header('allow', 'POST'), 'method_not_allowed', [onlyPost]);
  const { answer } = request.query as { readonly answer?: unknown };
  if (answer !== undefined && !isAnswer(answer)) {
    const sentence = `answer: Must be given once, with 1 to ${String(maxAnswerLength)} characters that can be printed.`;
    return refuse(request, reply, 'invalid_request', [sentence]);
  }
  return pageBody(reply, {
    title: 'Please confirm',
    paragraphs: [
      `The step “${nodeId}” of “${name}” waits for your answer.`,
      ...(answer === undefined ? [] : [`Your answer: ${answer}`]),
    ],
    form: { button: 'Confirm', fields: { [marker]: '1', ...(answer !== undefined && { answer }) } },
  });
}

const isAnswer = (value: unknown): value is string =>
  typeof value === 'string' && value.trim() !== '' && value.length <= maxAnswerLength && !unprintable.test(value);

function refuse(request: FastifyRequest, reply: FastifyReply, code: ErrorCode, errors: readonly string[]): string {
  if (wantsPage(request)) return errorPageBody(reply, code, errors);
  throw new ApiError(code, ...errors);
}

/** Whether a body comes from an HTML form, such as that of the page. */
export function isForm(contentType: string | undefined): boolean {
  return /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(contentType?.trim() ?? '');
}

/** The callback body that the page's form sends; undefined for any other body. */
export function confirmationOf(bytes: Uint8Array, contentType: string | undefined): Json | undefined {
  if (!isForm(contentType)) return undefined;
  if (bytes.length > maxFormBytes) return undefined;
  const fields = new URLSearchParams(Buffer.from(bytes).toString('utf8'));
  if (fields.get(marker) !== '1') return undefined;
  const [answer, ...more] = fields.getAll('answer');
  if (more.length > 0 || (answer !== undefined && !isAnswer(answer))) return undefined;
  return { confirmed: true, ...(answer !== undefined && { answer }) };
}

/** An upper bound of the page's form: each character of the answer takes at most twelve bytes. */
const maxFormBytes = 1024;
