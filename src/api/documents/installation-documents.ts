import { roles } from '../../security/roles.ts';
import * as shape from './schema.ts';
import type { Schema } from './schema.ts';

const link = (of: string): Schema =>
  shape.optional(shape.string({ description: `Template of a link to ${of}: {traceId} {executionId} {from} {to}.` }));

/** Who the caller is, and which installation answers. */
export const sessionDocument: Schema = shape.object({
  authentication: shape.oneOf(['none', 'required']),
  methods: shape.array(shape.oneOf(['apiKey', 'oidc']), { description: 'How to sign in.' }),
  actor: shape.optional(shape.string({ description: 'key:<id>, jwt:<subject>, or anonymous.' })),
  roles: shape.optional(shape.array(shape.oneOf([...roles]), { description: 'As configured.' })),
  definitions: shape.optional(shape.array(shape.string(), { description: 'The only definitions; absent: all.' })),
  expiresAt: shape.optional(shape.string({ format: 'date-time', description: 'Of the credentials; absent: never.' })),
  server: shape.object({
    name: shape.string(),
    version: shape.optional(shape.string()),
    environment: shape.optional(shape.object({ name: shape.string(), color: shape.optional(shape.string()) })),
    store: shape.optional(shape.oneOf(['sqlite', 'postgres'])),
    queue: shape.optional(shape.oneOf(['memory', 'redis', 'cluster'])),
    now: shape.optional(shape.string({ format: 'date-time', description: 'The clock for countdowns.' })),
    traceUrl: link('a trace'),
    logUrl: link('logs'),
  }),
});

/** Names that definitions may use. */
export const namesDocument: Schema = shape.object({
  variables: shape.array(shape.string(), { description: 'At most 1000, sorted.' }),
  secrets: shape.array(
    shape.object({
      name: shape.string(),
      hosts: shape.optional(shape.array(shape.string(), { description: 'The only places where it may be sent.' })),
    }),
    { description: 'At most 1000, sorted.' },
  ),
  limits: shape.object(
    {},
    { additionalProperties: shape.number(), description: 'By their keys in the configuration.' },
  ),
});
