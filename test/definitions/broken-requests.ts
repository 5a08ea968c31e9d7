/** A request that is refused. */
export interface BrokenRequest {
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH';
  readonly url: string;
  /** The body's text; sent as `application/json` unless the headers say otherwise. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly code: string;
  /** All of them, in order. */
  readonly errors: readonly string[];
}

const definition =
  '{"name":"order","version":"1","steps":[{"name":"a","up":{"url":"http://shop.example/a","verb":"GET"}}]}';
const id = '018f4c7e-0000-7000-8000-0000000000aa';
const json = { 'content-type': 'application/json' };

const run = (name: string, body: string, ...errors: string[]): BrokenRequest => ({
  name,
  method: 'POST',
  url: '/workflows/run',
  body,
  status: 400,
  code: 'invalid_request',
  errors,
});

const query = (name: string, url: string, ...errors: string[]): BrokenRequest => ({
  name,
  method: 'GET',
  url,
  status: 400,
  code: 'invalid_request',
  errors,
});

const control = (name: string, path: string, body: string, ...errors: string[]): BrokenRequest => ({
  name,
  method: 'POST',
  url: `/workflows/${id}/${path}`,
  body,
  status: 400,
  code: 'invalid_request',
  errors,
});

const notJson = 'The body must be JSON, with Content-Type application/json.';

/** Broken requests, each with the exact answer. */
export const brokenRequests: readonly BrokenRequest[] = [
  {
    name: 'a body that is no JSON',
    method: 'POST',
    url: '/workflows/run',
    body: '{\n  "definition" 1}',
    status: 400,
    code: 'malformed_json',
    errors: ['The body is not valid JSON: line 2, column 16.'],
  },
  {
    name: 'a body that ends too early',
    method: 'POST',
    url: '/workflows/run',
    body: '{"definition":',
    status: 400,
    code: 'malformed_json',
    errors: ['The body is not valid JSON.'],
  },
  {
    name: 'JSON of another name',
    method: 'POST',
    url: '/workflows/run',
    body: '{}',
    headers: { 'content-type': 'text/plain' },
    status: 415,
    code: 'unsupported_media_type',
    errors: [notJson],
  },
  {
    name: 'a form',
    method: 'POST',
    url: '/workflows/definitions',
    body: 'a=1',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    code: 'unsupported_media_type',
    errors: [notJson],
  },
  {
    name: 'a body without a type',
    method: 'POST',
    url: `/workflows/${id}/cancel`,
    body: 'x',
    headers: { 'content-type': '' },
    status: 415,
    code: 'unsupported_media_type',
    errors: [notJson],
  },
  {
    name: 'a body that is too large',
    method: 'POST',
    url: '/workflows/run',
    body: `{"payload":"${'x'.repeat(1024 * 1024)}"}`,
    status: 413,
    code: 'too_large',
    errors: ['The body is larger than allowed.'],
  },
  {
    name: 'a route that is not there',
    method: 'GET',
    url: '/workflow',
    status: 404,
    code: 'unknown_route',
    errors: ['There is nothing at this method and path.'],
  },
  {
    name: 'a method that is not there',
    method: 'PATCH',
    url: '/workflows',
    status: 404,
    code: 'unknown_route',
    errors: ['There is nothing at this method and path.'],
  },
  {
    name: 'a path with a broken escape',
    method: 'GET',
    url: '/workflows/definitions/%zz/1',
    status: 400,
    code: 'malformed_http',
    errors: ['The request is not valid HTTP.'],
  },
  run('a run without a body', '', 'request: Must be an object.'),
  run('a run that is a list', '[]', 'request: Must be an object.'),
  run('a run without a definition', '{}', 'definition: Is required.'),
  run('a definition that is a text', '{"definition":"order"}', 'definition: Must be an object.'),
  run('a definition that is null', '{"definition":null}', 'definition: Must be an object.'),
  run('an unknown field', `{"definition":${definition},"paylod":{}}`, 'paylod: Is not a known field.'),
  run('an unknown field with an odd name', `{"definition":${definition},"a b":1}`, '["a b"]: Is not a known field.'),
  run('a prototype for a field', `{"definition":${definition},"__proto__":{}}`, '__proto__: Is not a known field.'),
  run(
    'several problems at once',
    '{"payload":[],"labels":5,"startAt":7}',
    'definition: Is required.',
    'payload: Must be an object.',
    'labels: Must be an object.',
    'startAt: Must be a string.',
  ),
  run('a payload that is a list', `{"definition":${definition},"payload":[1]}`, 'payload: Must be an object.'),
  run(
    'a payload that is a number with kept digits',
    `{"definition":${definition},"payload":1.0}`,
    'payload: Must be an object.',
  ),
  run(
    'a label with a control character',
    `{"definition":${definition},"labels":{"a":"x\\u0000y"}}`,
    'labels["a"]: Must hold no control character and no half of a character.',
  ),
  run(
    'a label named by half a character',
    `{"definition":${definition},"labels":{"\\ud800":"x"}}`,
    'labels["\\ud800"]: Must hold no control character and no half of a character.',
  ),
  run('a label that is a number', `{"definition":${definition},"labels":{"a":1}}`, 'labels["a"]: Must be a string.'),
  run(
    'a label without a name',
    `{"definition":${definition},"labels":{"":"x"}}`,
    'labels[""]: A label\'s name has 1 to 128 characters.',
  ),
  run(
    'a label that is too long',
    `{"definition":${definition},"labels":{"a":"${'x'.repeat(513)}"}}`,
    'labels["a"]: Must have at most 512 characters.',
  ),
  run(
    'too many labels',
    `{"definition":${definition},"labels":{${Array.from({ length: 51 }, (_, i) => `"l${String(i)}":"x"`).join(',')}}}`,
    'labels: Must have at most 50 entries.',
  ),
  run(
    'a start without an offset',
    `{"definition":${definition},"startAt":"2030-01-01T00:00:00"}`,
    'startAt: Must be an ISO 8601 time with offset, like 2030-01-31T09:00:00Z.',
  ),
  run(
    'a start on no day',
    `{"definition":${definition},"startAt":"2030-02-30T00:00:00Z"}`,
    'startAt: Must be an ISO 8601 time with offset, like 2030-01-31T09:00:00Z.',
  ),
  run(
    'JSON that is too deep',
    `{"definition":${definition},"payload":${'{"a":'.repeat(64)}1${'}'.repeat(64)}}`,
    'request: JSON may be nested at most 64 levels deep.',
  ),
  {
    ...run('a wait that is no number', `{"definition":${definition}}`, 'waitMillis: Must be a whole number.'),
    url: '/workflows/run?waitMillis=soon',
  },
  {
    ...run('a parameter that is not known', `{"definition":${definition}}`, 'wait: Is not a known query parameter.'),
    url: '/workflows/run?wait=5',
  },
  {
    ...run(
      'an empty idempotency key',
      `{"definition":${definition}}`,
      'Idempotency-Key: Must have 1 to 255 printable ASCII characters.',
    ),
    headers: { ...json, 'idempotency-key': '' },
  },
  {
    ...run(
      'a long idempotency key',
      `{"definition":${definition}}`,
      'Idempotency-Key: Must have 1 to 255 printable ASCII characters.',
    ),
    headers: { ...json, 'idempotency-key': 'k'.repeat(256) },
  },
  {
    ...run(
      'a stored run that brings a definition',
      `{"definition":${definition}}`,
      'definition: Is not a known field.',
    ),
    url: '/workflows/definitions/order/1/run',
  },
  {
    name: 'a broken definition',
    method: 'POST',
    url: '/workflows/run',
    body: '{"definition":{"name":"order","version":"latest","steps":[]}}',
    status: 400,
    code: 'invalid_definition',
    errors: [
      'version: "latest" is reserved: it means the version that was created last.',
      'steps: Must have at least one element, not none.',
    ],
  },
  query('a limit that is no number', '/workflows?limit=many', 'limit: Must be a whole number.'),
  query('a limit that is no whole number', '/workflows?limit=1.5', 'limit: Must be a whole number.'),
  query('an empty limit', '/workflows?limit=', 'limit: Must be a whole number.'),
  query('two limits', '/workflows?limit=1&limit=2', 'limit: Must be a whole number.'),
  query('a negative offset', '/workflows?offset=-1', 'offset: Must be at least 0.'),
  query(
    'a status that is none',
    '/workflows?status=DONE',
    'status[0]: Must be "IN_PROGRESS", "WAITING_CALLBACK", "SLEEPING", "COMPENSATING", "SUCCEEDED", "FAILED", "CANCELLED", "CORRUPTED" or "TERMINATED".',
  ),
  query('a filter that is misspelt', '/workflows?statsu=FAILED', 'statsu: Is not a known query parameter.'),
  query(
    'a label without a value',
    '/workflows?label=team',
    'label: Must be of the form name:value, where a colon within the name is written \\:.',
  ),
  query(
    'a kind of standing effects that is none',
    '/workflows?standing=yes',
    'standing: Must be "true", "false", "unknown", "succeeded", true or false.',
  ),
  query(
    'a time without an offset',
    '/workflows?startedAfter=2030-01-01',
    'startedAfter: Must be an ISO 8601 time with offset, like 2030-01-31T09:00:00Z.',
  ),
  query('an order that is none', '/workflows?order=up', 'order: Must be "asc" or "desc".'),
  {
    ...query(
      'a cursor of elsewhere',
      '/workflows?cursor=abc',
      'The cursor does not come from an earlier page of this list.',
    ),
    code: 'invalid_cursor',
  },
  query('a parameter of a route that has none', `/workflows/${id}?round=1`, 'round: Is not a known query parameter.'),
  query('a parameter of another route', '/holds?limit=1', 'limit: Is not a known query parameter.'),
  {
    ...control('a body in the query', 'retry', '{}', 'force: Is not a known query parameter.'),
    url: `/workflows/${id}/retry?force=true`,
  },
  control(
    'an answer of a compensation',
    'resolve',
    '{"nodeId":"a","phase":"DOWN","outcome":"succeeded","reason":"r","body":{}}',
    'body: Only a node of phase UP has an answer.',
  ),
  query('an id that is no UUID', '/workflows/7', 'id: Must be a UUID.'),
  query('an id that is almost one', `/workflows/${id}0/steps`, 'id: Must be a UUID.'),
  query("a definition's id that is no UUID", '/workflows/definitions/order', 'id: Must be a UUID.'),
  query('a scope that is none', '/readyz?scope=all', 'scope: Must be "api".'),
  control('a retry with a word', 'retry', '{"force":"yes"}', 'force: Must be true or false.'),
  control('a cancel whose reason is no text', 'cancel', '{"reason":5}', 'reason: Must be a string.'),
  control(
    'a cancel whose reason is a book',
    'cancel',
    `{"reason":"${'x'.repeat(2001)}"}`,
    'reason: Must have at most 2000 characters.',
  ),
  control('a terminate with a force', 'terminate', '{"force":true}', 'force: Is not a known field.'),
  control('a wake that is a list', 'wake', '[]', 'request: Must be an object.'),
  control(
    'an empty resolve',
    'resolve',
    '{}',
    'nodeId: Is required.',
    'phase: Is required.',
    'outcome: Is required.',
    'reason: Is required.',
  ),
  control('a resolve without a body', 'resolve', '', 'request: Must be an object.'),
  control(
    'a resolve of another kind',
    'resolve',
    '{"nodeId":"","visit":0,"phase":"up","outcome":"done","reason":""}',
    'nodeId: Must have at least 1 character.',
    'visit: Must be at least 1.',
    'phase: Must be "UP" or "DOWN".',
    'outcome: Must be "succeeded" or "failed".',
    'reason: Must have at least 1 character.',
  ),
  control(
    'a resolve of half a visit',
    'resolve',
    '{"nodeId":"a","visit":1.5,"phase":"UP","outcome":"failed","reason":"x"}',
    'visit: Must be a whole number.',
  ),
  {
    name: 'a definition that is nothing',
    method: 'POST',
    url: '/workflows/definitions',
    body: '',
    status: 400,
    code: 'invalid_request',
    errors: ['request: Must be a definition as JSON.'],
  },
  {
    name: 'a definition that is a list',
    method: 'POST',
    url: '/workflows/definitions',
    body: '[]',
    status: 400,
    code: 'invalid_definition',
    errors: ['definition: Must be an object, not a list.'],
  },
  {
    name: 'an execution that is not there',
    method: 'GET',
    url: `/workflows/${id}`,
    status: 404,
    code: 'unknown_execution',
    errors: [`There is no execution ${id}.`],
  },
  {
    name: 'a definition that is not there',
    method: 'GET',
    url: `/sagas/definitions/${id}`,
    status: 404,
    code: 'unknown_definition',
    errors: [`There is no definition ${id}.`],
  },
];
