import type { FastifyInstance } from 'fastify';
import { type PreviewKind, preview } from '../../../app/preview/previews.ts';
import { maxPreviews } from '../../../app/preview/rendering.ts';
import { BadCursor } from '../../../ports/store.ts';
import { type ApiContext, jsonBody, jsonPageBody } from '../../context.ts';
import { errorDocument, previewDocument, wholePreviewDocument } from '../../documents/documents.ts';
import { answers } from '../../documents/route-documentation.ts';
import * as shape from '../../documents/schema.ts';
import {
  knownBy,
  revisedAnswers,
  revisionHeaders,
  unchangedBody,
  withRevision,
} from '../../http/caching/conditional.ts';
import { refusalBody } from '../../http/failure.ts';
import { clamp, idOf, idParameters, pageFields, type PageQuery } from '../../parameters.ts';

const { limit, cursor } = pageFields(maxPreviews, maxPreviews);
const range = { limit: limit as shape.Schema, cursor: cursor as shape.Schema };
const form = shape.optional({
  ...shape.oneOf(['object']),
  description: 'object: { calls, inFlight, stands, wouldEndAs } in place of the list of calls.',
});

const kinds: Readonly<Record<PreviewKind, string>> = {
  cancel: 'The compensations that a cancel would run, in order',
  terminate: 'What a terminate would leave behind',
  retry: 'The effects that stand, or the compensations that a retry would run',
  undo: 'The compensations that an undo would run, in order',
};

/** Registers the routes that preview changes of an execution, below the plugin's prefix. */
export function previewRoutes(server: FastifyInstance, api: ApiContext): void {
  for (const [kind, summary] of Object.entries(kinds) as [PreviewKind, string][]) {
    // The preview that has no calls has no other form.
    const isWholeAlways = kind === 'terminate';
    const query = shape.object({ ...range, ...(!isWholeAlways && { form }) }, { additionalProperties: false });
    const schema = isWholeAlways
      ? wholePreviewDocument
      : shape.anyOf([shape.array(previewDocument), wholePreviewDocument]);
    server.get(
      `/:id/${kind}-preview`,
      {
        schema: { params: idParameters, querystring: query },
        config: {
          documentation: {
            summary,
            tag: 'executions',
            headers: revisionHeaders,
            answers: answers(
              {
                200: {
                  description:
                    'Rendered and redacted requests; X-Next-Cursor leads to those that this page has no room for.',
                  schema,
                },
                ...revisedAnswers,
              },
              [400, 404, 409, 503],
              errorDocument,
            ),
          },
        },
      },
      async (request, reply) => {
        const asked = request.query as PageQuery & { readonly form?: 'object' };
        const answer = await preview(api.appFor(request), kind, idOf(request.params), {
          skip: skipOf(asked.cursor),
          limit: clamp(asked.limit ?? maxPreviews, 1, maxPreviews),
          isWhole: isWholeAlways || asked.form === 'object',
          isKnown: knownBy(request),
        });
        if (!answer.ok) return refusalBody(reply, answer);
        const { value } = answer.value;
        withRevision(reply, answer.value);
        if (value === undefined) return unchangedBody(reply);
        const { items, next, rest } = value;
        if (rest === undefined)
          return jsonPageBody(reply, { items, ...(next !== undefined && { cursor: String(next) }) });
        if (next !== undefined) reply.header('x-next-cursor', String(next));
        return jsonBody(reply, { calls: items, ...rest });
      },
    );
  }
}

/** A preview is computed anew for each page, so its cursor is the number of requests to skip. */
function skipOf(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,6}$/.test(text)) throw new BadCursor('The cursor is none of a preview.');
  return Number(text);
}
