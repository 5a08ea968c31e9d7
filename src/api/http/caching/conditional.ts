import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Revision } from '../../../ports/store/revision.ts';
import type { DocumentedAnswer } from '../../documents/route-documentation.ts';
import type { Revised } from '../../../app/queries/status.ts';
import { headerOf } from '../../parameters.ts';
import { etagOf, holdsFor, ifNoneMatch } from './entity-tags.ts';

/** The documentation of a read that answers 304 where the client has the current revision. */
export const revisionHeaders: Readonly<Record<string, string>> = {
  'If-None-Match': 'ETags of earlier answers: 304 if the execution is still at one of these revisions.',
};

/** The additional answers of such a read. */
export const revisedAnswers: Readonly<Record<number, DocumentedAnswer>> = {
  304: { description: 'Nothing has changed since the revision of If-None-Match.' },
};

/**
 * What a client has according to `If-None-Match`; undefined without the header. The result throws ApiError `invalid_request` if the header
 * is malformed; it is called once the execution is known to exist, which is said first.
 */
export function knownBy({ headers }: FastifyRequest): ((revision: Revision) => boolean) | undefined {
  const header = headerOf(headers, 'if-none-match');
  return header === undefined ? undefined : (revision) => holdsFor(ifNoneMatch(header), revision);
}

/** Names the revision of an answer, and where the events of the execution go on after it. */
export function withRevision(reply: FastifyReply, { revision, position }: Omit<Revised<never>, 'value'>): void {
  reply.header('etag', etagOf(revision));
  reply.header('x-event-position', position);
}

/** The body of a 304, for the handler to return. */
export function unchangedBody(reply: FastifyReply): string {
  reply.code(304);
  return '';
}
