/** Broken definitions, each with the full list of its errors, as the author of the mistake sees them. */
import type { Json, JsonObject } from '../../src/core/value/json.ts';
import { brokenGraphs } from './broken-graphs.ts';
import { call, task } from './parts.ts';

/** A definition that does not compile. */
export interface BrokenDefinition {
  readonly name: string;
  readonly definition: Json;
  /** All of them, in order. */
  readonly errors: readonly string[];
}

/** A linear definition with one sound step, changed at its root. */
const root = (changes: JsonObject): JsonObject => ({
  name: 'order',
  version: '1',
  steps: [{ name: 'reserve', up: call }],
  ...changes,
});

/** A linear definition whose only call is changed. */
const up = (changes: JsonObject): JsonObject => root({ steps: [{ name: 'reserve', up: { ...call, ...changes } }] });

/** See {@link BrokenDefinition}. */
export const brokenDefinitions: readonly BrokenDefinition[] = [
  { name: 'no object', definition: ['name', 'version'], errors: ['definition: Must be an object, not a list.'] },
  {
    name: 'nothing in it',
    definition: {},
    errors: [
      'name: This field is required.',
      'version: This field is required.',
      'definition: Needs exactly one of steps or nodes, but has none of them.',
    ],
  },
  {
    name: 'several mistakes at once',
    definition: {
      name: ' ',
      version: 'latest',
      steps: [
        { name: 'a', up: { url: 'http://shop.example/{{nodes.b.response}', verb: 'FETCH', successStatusCodes: [99] } },
        { name: 'a', up: { url: 'shop/{{payload.id}}', verb: 'GET', timeoutMillis: 0 }, don: call },
      ],
    },
    errors: [
      'name: Must not be blank.',
      'version: "latest" is reserved: it means the version that was created last.',
      'steps[0].up.verb: "FETCH" is not one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS.',
      'steps[0].up.successStatusCodes[0]: Must be an HTTP status code, a whole number from 100 to 599, not 99.',
      'steps[1].don: This field is unknown here; did you mean "down"?',
      'steps[1].up.timeoutMillis: Must be a time in milliseconds, a whole number from 1 to 2147483647, not 0.',
      'steps[1].name: "a" is already the name of steps[0].',
      'steps[0].up.url: The tag at character 21 is not closed by }}.',
      'steps[1].up.url: The URL does not begin with http:// or https://.',
    ],
  },
  { name: 'blank name', definition: root({ name: '' }), errors: ['name: Must not be blank.'] },
  {
    name: 'name that is too long',
    definition: root({ name: 'n'.repeat(300) }),
    errors: ['name: Must have at most 255 characters, not 300.'],
  },
  {
    name: 'version latest',
    definition: root({ version: 'latest' }),
    errors: ['version: "latest" is reserved: it means the version that was created last.'],
  },
  { name: 'version as a number', definition: root({ version: 1 }), errors: ['version: Must be a string, not 1.'] },
  {
    name: 'line break in the version',
    definition: root({ version: '1\n2' }),
    errors: ['version: "1\\n2" holds a control character or half a character.'],
  },
  {
    name: 'both steps and nodes',
    definition: root({ entrypoint: 'a', nodes: [task('a')] }),
    errors: ['definition: Needs exactly one of steps or nodes, but has steps and nodes.'],
  },
  {
    name: 'neither steps nor nodes',
    definition: { name: 'order', version: '1' },
    errors: ['definition: Needs exactly one of steps or nodes, but has none of them.'],
  },
  { name: 'no steps', definition: root({ steps: [] }), errors: ['steps: Must have at least one element, not none.'] },
  {
    name: 'nodes without an entrypoint',
    definition: { name: 'order', version: '1', nodes: [task('a')] },
    errors: ['entrypoint: This field is required beside nodes.'],
  },
  {
    name: 'entrypoint beside steps',
    definition: root({ entrypoint: 'reserve' }),
    errors: ['entrypoint: This field cannot stand beside steps.'],
  },
  {
    name: 'unknown field that looks like a known one',
    definition: root({ failureHandlng: {} }),
    errors: ['failureHandlng: This field is unknown here; did you mean "failureHandling"?'],
  },
  {
    name: 'unknown field like none',
    definition: up({ retries: 3 }),
    errors: [
      'steps[0].up.retries: This field is unknown here; known are url, verb, headers, body, successStatusCodes, unknownStatusCodes, timeoutMillis, auth.',
    ],
  },
  {
    name: 'labels that no run may have',
    definition: root({ labels: { '': 'a', long: 'x'.repeat(513) } }),
    errors: ['labels[""]: A label\'s name has 1 to 128 characters.', 'labels.long: Must have at most 512 characters.'],
  },
  {
    name: 'labels that are no strings',
    definition: root({ labels: { team: 'shop', tier: 1 } }),
    errors: ['labels.tier: Must be a string, not 1.'],
  },
  {
    name: 'required payload that is no path',
    definition: root({ requiredPayload: ['orderId', 7, '', 'customer..id', '{{payload.id}}'] }),
    errors: [
      'requiredPayload[1]: Must be a string, not 7.',
      'requiredPayload[2]: Must not be blank.',
      'requiredPayload[3]: "customer..id" has an empty part.',
      'requiredPayload[4]: "{{payload.id}}" must be a plain path, not a template.',
    ],
  },
  {
    name: 'no time limit at all',
    definition: root({ timeoutMillis: 0 }),
    errors: ['timeoutMillis: Must be a time in milliseconds, a whole number from 1 to 31557600000000, not 0.'],
  },
  {
    name: 'time limit as a text',
    definition: root({ timeoutMillis: '10s' }),
    errors: ['timeoutMillis: Must be a time in milliseconds, a whole number from 1 to 31557600000000, not "10s".'],
  },
  {
    name: 'more visits than the cap',
    definition: root({ maxNodeVisits: 2_000_000 }),
    errors: ['maxNodeVisits: Must be a number of visits, a whole number from 1 to 1000000, not 2000000.'],
  },
  {
    name: 'nested too deep',
    definition: up({ body: nested(70) }),
    errors: ['definition: Objects and lists are nested more than 64 deep.'],
  },
  {
    name: 'larger than the limit',
    definition: root({ description: 'x'.repeat(300_000) }),
    errors: ['definition: The definition is larger than 262144 bytes.'],
  },
  {
    name: 'more steps than the limit',
    definition: root({ steps: Array.from({ length: 501 }, (_, index) => ({ name: `s${String(index)}`, up: call })) }),
    errors: ['steps: A definition has at most 500 steps, not 501.'],
  },

  {
    name: 'step that is no object',
    definition: root({ steps: ['reserve'] }),
    errors: ['steps[0]: Must be an object, not "reserve".'],
  },
  {
    name: 'step without a call',
    definition: root({ steps: [{ name: 'reserve' }] }),
    errors: ['steps[0].up: This field is required.'],
  },
  {
    name: 'steps of the same name',
    definition: root({
      steps: [
        { name: 'reserve', up: call },
        { name: 'charge', up: call },
        { name: 'reserve', up: call },
      ],
    }),
    errors: ['steps[2].name: "reserve" is already the name of steps[0].'],
  },
  {
    name: 'blank step name',
    definition: root({ steps: [{ name: '  ', up: call }] }),
    errors: ['steps[0].name: Must not be blank.'],
  },
  {
    name: 'reserved id',
    definition: root({ steps: [{ name: '__proto__', up: call }] }),
    errors: ['steps[0].name: "__proto__" cannot be used as a name here.'],
  },

  {
    name: 'unknown verb',
    definition: up({ verb: 'FETCH' }),
    errors: ['steps[0].up.verb: "FETCH" is not one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS.'],
  },
  {
    name: 'verb in small letters',
    definition: up({ verb: 'post' }),
    errors: [
      'steps[0].up.verb: "post" is not one of GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS; did you mean "POST"?',
    ],
  },
  {
    name: 'relative URL',
    definition: up({ url: '/orders' }),
    errors: ['steps[0].up.url: The URL does not begin with http:// or https://.'],
  },
  {
    name: 'URL of another scheme',
    definition: up({ url: 'ftp://shop.example/orders' }),
    errors: ['steps[0].up.url: The URL does not begin with http:// or https://.'],
  },
  { name: 'blank URL', definition: up({ url: '' }), errors: ['steps[0].up.url: Must not be blank.'] },
  {
    name: 'URL without a host',
    definition: up({ url: 'http:///orders' }),
    errors: ['steps[0].up.url: The URL has no host.'],
  },
  {
    name: 'forbidden header',
    definition: up({ headers: { 'Content-Length': '3', host: 'a' } }),
    errors: [
      'steps[0].up.headers.Content-Length: The header Content-Length belongs to the connection and cannot be set.',
      'steps[0].up.headers.host: The header host belongs to the connection and cannot be set.',
    ],
  },
  {
    name: 'header that is no header',
    definition: up({ headers: { 'X Id': 'a', '': 'b', 'X-Ok': 5 } }),
    errors: [
      'steps[0].up.headers.X-Ok: Must be a template, which is a string, not 5.',
      'steps[0].up.headers["X Id"]: "X Id" is no name of a header.',
      'steps[0].up.headers[""]: "" is no name of a header.',
    ],
  },
  {
    name: 'status code out of range',
    definition: up({ successStatusCodes: [200, 600] }),
    errors: [
      'steps[0].up.successStatusCodes[1]: Must be an HTTP status code, a whole number from 100 to 599, not 600.',
    ],
  },
  {
    name: 'no status code',
    definition: up({ successStatusCodes: [] }),
    errors: ['steps[0].up.successStatusCodes: Must have at least one element, not none.'],
  },
  {
    name: 'unknown authentication',
    definition: up({ auth: { type: 'digest', secret: 'S' } }),
    errors: ['steps[0].up.auth.type: "digest" is not one of basic, bearer, oauth2ClientCredentials.'],
  },
  {
    name: 'token URLs that are none',
    definition: {
      name: 'broken',
      version: '1',
      steps: ['ftp://login.example/', 'https://{{vars.LOGIN}}/token', 'https://a@login.example/'].map(
        (tokenUrl, i) => ({
          name: `s${String(i)}`,
          up: {
            url: 'http://shop.example/a',
            verb: 'GET',
            auth: { type: 'oauth2ClientCredentials', tokenUrl, clientIdSecret: 'A', clientSecretSecret: 'B' },
          },
        }),
      ),
    },
    errors: [
      'steps[0].up.auth.tokenUrl: The URL does not begin with http:// or https://.',
      'steps[1].up.auth.tokenUrl: This is a plain URL, not a template.',
      "steps[2].up.auth.tokenUrl: The URL's authority holds user information.",
    ],
  },
  {
    name: 'authentication without its secret',
    definition: up({ auth: { type: 'bearer', token: 'S' } }),
    errors: [
      'steps[0].up.auth.token: This field is unknown here; known are type, secret.',
      'steps[0].up.auth.secret: This field is required.',
    ],
  },
  {
    name: 'unclosed tag',
    definition: up({ body: { order: { id: 'for {{payload.id' } } }),
    errors: ['steps[0].up.body.order.id: The tag at character 5 is not closed by }}.'],
  },
  {
    name: 'unclosed section',
    definition: up({ body: '{{#payload.items}}{{name}}' }),
    errors: ['steps[0].up.body: The section "payload.items" at character 1 is not closed.'],
  },
  {
    name: 'unknown root of a path',
    definition: up({ url: 'http://shop.example/{{order.id}}' }),
    errors: [
      'steps[0].up.url: The path "order.id" begins with an unknown name; known are payload, labels, vars, secrets, sagaId, sagaName, sagaVersion, stepName, phase, attempt, round, nodes, step, steps, prev.',
    ],
  },
  {
    name: 'unknown node in a template',
    definition: up({ headers: { 'X-Id': '{{nodes.resrve.response.body.id}}' } }),
    errors: [
      'steps[0].up.headers.X-Id: The path "nodes.resrve.response.body.id" names a node that the definition does not have; did you mean "reserve"?',
    ],
  },
  {
    name: 'unknown field of a node',
    definition: up({ body: { a: '{{nodes.reserve.body.id}}' } }),
    errors: [
      'steps[0].up.body.a: The path "nodes.reserve.body.id" names an unknown field "body" of the node; it has response, accepted, callback, failure, child, visit, idempotencyKey.',
    ],
  },
  {
    name: 'callback token in a sync call',
    definition: up({ body: '{{runtime.callback.token}}' }),
    errors: ['steps[0].up.body: The path "runtime.callback.token" can be read in requests of async nodes only.'],
  },
  {
    name: 'failure outside of the failure hook',
    definition: root({ onSuccessCallback: { ...call, verb: 'POST', body: '{{failure.reason}}' } }),
    errors: ['onSuccessCallback.body: The path "failure.reason" can be read in failure hooks only.'],
  },

  {
    name: 'policy of an unknown type',
    definition: root({ failureHandling: { type: 'exponential', maxAttempts: 3 } }),
    errors: ['failureHandling.type: "exponential" is not one of retry, backoff.'],
  },
  {
    name: 'retry that lacks its delay',
    definition: root({ failureHandling: { type: 'retry', maxAttempts: -1 } }),
    errors: [
      'failureHandling.maxAttempts: Must be a number of retries, a whole number from 0 to 1000000, not -1.',
      'failureHandling.delayMillis: This field is required.',
    ],
  },
  {
    name: 'backoff out of bounds',
    definition: root({
      compensationHandling: {
        type: 'backoff',
        maxAttempts: 10,
        initialDelayMillis: 500,
        maxDelayMillis: 100,
        multiplier: 0.5,
        jitterRatio: 2,
      },
    }),
    errors: [
      'compensationHandling.multiplier: Must be a factor, a number from 1 to 1000000, not 0.5.',
      'compensationHandling.jitterRatio: Must be a ratio, a number from 0 to 1, not 2.',
      'compensationHandling.maxDelayMillis: Must not be below initialDelayMillis, which is 500, but is 100.',
    ],
  },
  {
    name: 'field of the other policy',
    definition: root({ failureHandling: { type: 'retry', maxAttempts: 1, delayMillis: 5, jitterRatio: 0.1 } }),
    errors: ['failureHandling.jitterRatio: This field belongs to type "backoff", not to "retry".'],
  },
  {
    name: 'odd things to retry',
    definition: root({
      failureHandling: {
        type: 'retry',
        maxAttempts: 1,
        delayMillis: 5,
        retryOn: { statusCodes: [500, '3xx', 700], errors: ['timeout', 'dns'] },
      },
    }),
    errors: [
      'failureHandling.retryOn.statusCodes[1]: Must be a status code from 100 to 599, "4xx" or "5xx", not "3xx".',
      'failureHandling.retryOn.statusCodes[2]: Must be a status code from 100 to 599, "4xx" or "5xx", not 700.',
      'failureHandling.retryOn.errors[1]: "dns" is not one of timeout, connect, body, callback_timeout, callback_failure.',
    ],
  },

  ...brokenGraphs,
];
function nested(depth: number): Json {
  let value: Json = 'deep';
  for (let i = 0; i < depth; i++) value = { value };
  return value;
}
