/** Bodies of requests, with their content codings undone. */
import type { FastifyRequest } from 'fastify';
import { acceptedCodings, codingsOf, decodeContent } from '../../content/codings.ts';
import { ApiError } from './failure.ts';

/**
 * Gives the body of a request without its content codings, within the limit that holds for the body as it came: to `done`, at once where
 * there are none, else later. Otherwise gives the error to answer with: `unsupported_content_coding`, `too_large`, or `malformed` where the
 * bytes are not what their coding says.
 */
export function decodeBody(
  request: FastifyRequest,
  bytes: Buffer,
  malformed: 'malformed_json' | 'callback_malformed',
  done: (error: ApiError | null, decoded: Buffer) => void,
): void {
  const header = request.headers['content-encoding'];
  if (header === undefined || bytes.length === 0) {
    done(null, bytes);
    return;
  }
  const codings = codingsOf(header);
  if (codings.length === 0) {
    done(null, bytes);
    return;
  }
  decodeContent(bytes, codings, request.routeOptions.bodyLimit, (fault, decoded) => {
    switch (fault?.kind) {
      case undefined:
        done(null, decoded);
        break;
      case 'too_large':
        done(new ApiError('too_large', `The body ${fault.problem} when its content coding is undone.`), bytes);
        break;
      case 'unknown':
        done(
          new ApiError(
            'unsupported_content_coding',
            `The body ${fault.problem}; send it in ${acceptedCodings}, or as it is.`,
          ),
          bytes,
        );
        break;
      case 'invalid':
        done(new ApiError(malformed, `The body ${fault.problem}.`), bytes);
        break;
    }
  });
}
