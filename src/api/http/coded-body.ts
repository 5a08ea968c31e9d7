import type { FastifyRequest } from 'fastify';
import { acceptedCodings, codingsOf, decodeContent } from '../../content/codings.ts';
import { ApiError } from './failure.ts';

/**
 * Decodes the content codings of a request body, within the same limit as for the encoded body. Calls `done` with the
 * body, synchronously if it is not encoded. On failure, calls it with an error: `unsupported_content_coding`,
 * `too_large`, or `malformed` if the bytes do not match their coding.
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
