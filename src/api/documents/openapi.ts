import { errorDocument } from './documents.ts';
import type { Access } from '../route-access.ts';
import type { RouteDocumentation } from './route-documentation.ts';

/** The parts of a registered route that the document uses. */
export interface DocumentedRoute {
  readonly method: string;
  /** Fastify's form: `/workflows/:id`. */
  readonly url: string;
  readonly documentation: RouteDocumentation;
  readonly access: Access;
  readonly body?: unknown;
  readonly querystring?: unknown;
  readonly params?: unknown;
}

interface ObjectSchema {
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, object>>;
}

/**
 * Builds the OpenAPI 3.1 document from the schemas that validate requests. `definition` is the JSON Schema of
 * definitions, shared by every body that contains one.
 */
export function openApiDocument(
  routes: readonly DocumentedRoute[],
  { version, definition }: { readonly version: string; readonly definition: object },
): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Trama',
      version,
      summary: 'Sagas and workflows over HTTP.',
      description: 'Every path below /workflows is also there below /sagas, with the same meaning.',
    },
    servers: [{ url: '/' }],
    tags: ['executions', 'definitions', 'callbacks', 'operations'].map((name) => ({ name })),
    paths,
    components: { schemas: { Definition: rooted(definition) }, securitySchemes },
  };
}

/** Without authentication, no route needs any of them. */
const securitySchemes = {
  apiKey: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
  bearer: { type: 'http', scheme: 'bearer', description: 'An API key, or a JSON Web Token of the configured issuer.' },
  callbackToken: { type: 'apiKey', in: 'header', name: 'X-Callback-Token' },
};

const eitherCredential = [{ bearer: [] }, { apiKey: [] }];

/** The OpenAPI fields for what a route needs. */
function securityOf({ needs, isWhole }: Access, url: string): object {
  if (needs === 'nothing' || needs === 'page') return { security: [] };
  // The token is part of the other URL.
  if (needs === 'token') return { security: url.endsWith('/:token') ? [] : [{ callbackToken: [] }] };
  if (needs === 'metrics') {
    return { security: [{}, ...eitherCredential], description: 'Needs the role viewer, unless metrics are public.' };
  }
  if (needs === 'session') {
    return {
      security: [{}, ...eitherCredential],
      description: 'Needs no credentials, and tells more to callers that have some.',
    };
  }
  const whole = isWhole === true ? ', and credentials that are not limited to some definitions' : '';
  return { security: eitherCredential, description: `Needs the role ${needs}${whole}.` };
}

/** Errors of every route that needs credentials. */
const gateAnswers: RouteDocumentation['answers'] = {
  401: { description: 'No good credentials.', schema: errorDocument },
  403: { description: 'The credentials do not allow this.', schema: errorDocument },
  429: { description: 'Too many; see Retry-After.', schema: errorDocument },
};

/** Reference to the shared schema of definitions. */
const definitionReference = { $ref: '#/components/schemas/Definition' };

/** Rewrites a schema's local references, which are relative to the schema, for use inside the document. */
function rooted(definition: object): object {
  const text = JSON.stringify(definition).replaceAll('"#/$defs/', '"#/components/schemas/Definition/$defs/');
  const { $schema: _schema, ...schema } = JSON.parse(text) as Record<string, unknown>;
  return schema;
}

function operationOf({ documentation, access, method, url, body, querystring, params }: DocumentedRoute): object {
  const { summary, tag, headers = {} } = documentation;
  const isGated = !['nothing', 'page', 'token'].includes(access.needs);
  const requestBody = documentation.body === undefined ? body : definitionReferenceIn(documentation.body);
  const parameters = [
    ...parametersOf('path', params),
    ...parametersOf('query', querystring),
    ...Object.entries(headers).map(([name, description]) => ({
      name,
      in: 'header',
      description,
      schema: { type: 'string' },
    })),
  ];
  return {
    operationId: operationId(method, url),
    summary,
    ...securityOf(access, url),
    tags: [tag],
    ...(parameters.length > 0 && { parameters }),
    ...(requestBody !== undefined && {
      requestBody: {
        required: !Object.hasOwn(requestBody as object, 'x-optional-body'),
        content: {
          [tag === 'callbacks' ? '*/*' : 'application/json']: { schema: withDefinition(requestBody as object) },
        },
      },
    }),
    responses: Object.fromEntries(
      Object.entries({ ...(isGated ? gateAnswers : {}), ...documentation.answers }).map(
        ([status, { description, schema, contentType }]) => [
          status,
          {
            description,
            ...((schema !== undefined || contentType !== undefined) && {
              content: { [contentType ?? 'application/json']: { schema: schema ?? { type: 'string' } } },
            }),
          },
        ],
      ),
    ),
  };
}

/** Replaces a body schema that is the definition schema by a reference. */
function definitionReferenceIn(schema: object): object {
  return (schema as { title?: unknown }).title === 'Trama definition' ? definitionReference : schema;
}

/** Replaces the schema of a body's `definition` field by a reference. */
function withDefinition(schema: object): object {
  const { properties } = schema as ObjectSchema;
  if (properties === undefined || !Object.hasOwn(properties, 'definition')) return schema;
  return { ...schema, properties: { ...properties, definition: definitionReference } };
}

function parametersOf(place: 'path' | 'query', schema: unknown): object[] {
  const { properties = {}, required = [] } = (schema ?? {}) as ObjectSchema;
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
}

/** `POST /workflows/:id/retry` → `postWorkflowsIdRetry`. */
function operationId(method: string, url: string): string {
  const words = url.split(/[^A-Za-z]+/).filter((word) => word !== '');
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
