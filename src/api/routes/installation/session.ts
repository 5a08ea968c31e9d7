import type { FastifyInstance } from 'fastify';
import type { JsonObject } from '../../../core/value/json.ts';
import { jsonBody } from '../../context.ts';
import { errorDocument } from '../../documents/documents.ts';
import { sessionDocument } from '../../documents/installation-documents.ts';
import { answers } from '../../documents/route-documentation.ts';
import type { Installation } from '../../installation.ts';

/** What {@link sessionRoute} tells of. */
export interface SessionParts {
  readonly now: () => number;
  readonly installation: Installation;
  readonly version: string;
  /** Whether callers need credentials. */
  readonly isProtected: boolean;
}

const name = 'Trama';

/** Registers the route that tells callers who they are and what they talk to. */
export function sessionRoute(server: FastifyInstance, parts: SessionParts): void {
  server.get(
    '/session',
    {
      config: {
        documentation: {
          summary: 'Who the caller is, what it may do, and which installation answers',
          tag: 'operations',
          answers: answers(
            {
              200: {
                description: 'Without good credentials only how to sign in, and the name of the server.',
                schema: sessionDocument,
              },
            },
            [429, 503],
            errorDocument,
          ),
        },
      },
    },
    (request, reply) => {
      const { installation, isProtected } = parts;
      const { principal } = request;
      const { methods } = installation;
      if (isProtected && principal === null) {
        return jsonBody(reply, { authentication: 'required', methods, server: { name } });
      }
      const document: JsonObject = {
        authentication: isProtected ? 'required' : 'none',
        methods: isProtected ? methods : [],
        actor: principal?.id ?? 'anonymous',
        roles: principal?.roles ?? ['admin'],
        ...(principal?.definitions !== undefined && { definitions: principal.definitions }),
        ...(principal?.expiresAt !== undefined && { expiresAt: new Date(principal.expiresAt).toISOString() }),
        server: serverDocument(parts, new Date(parts.now())),
      };
      return jsonBody(reply, document);
    },
  );
}

function serverDocument({ installation, version }: SessionParts, now: Date): JsonObject {
  const { store, queue, environment, traceUrl, logUrl } = installation;
  return {
    name,
    version,
    ...(environment !== undefined && { environment: { ...environment } }),
    store,
    queue,
    now: now.toISOString(),
    ...(traceUrl !== undefined && { traceUrl }),
    ...(logUrl !== undefined && { logUrl }),
  };
}
