/** The API's own description against what is really served. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { openStage } from '../stage/stage.ts';

const stage = openStage();
const missing = '0190a5a0-0000-7000-8000-000000000000';
let document: AnswerBody;
let operations: { readonly method: string; readonly path: string; readonly responses: object }[];

beforeAll(async () => {
  document = (await stage.ask('GET', '/openapi.json')).body;
  operations = Object.entries<Record<string, AnswerBody>>(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { responses }]) => ({ method: method.toUpperCase(), path, responses })),
  );
});

/** Rows of the API's table that exist without operators' routes. */
const rows = [
  'POST /workflows/run',
  'POST /workflows/definitions/{name}/{version}/run',
  'GET /workflows',
  'GET /workflows/{id}',
  'GET /workflows/{id}/steps',
  'GET /workflows/{id}/steps/calls',
  'GET /workflows/{id}/definition',
  'GET /workflows/{id}/events',
  'POST /workflows/{id}/retry',
  'POST /workflows/{id}/cancel',
  'POST /workflows/{id}/terminate',
  'POST /workflows/{id}/wake',
  'POST /workflows/{id}/resolve',
  'POST /workflows/{id}/undo',
  'GET /workflows/{id}/cancel-preview',
  'GET /workflows/{id}/children',
  'GET /workflows/{id}/retry-preview',
  'GET /workflows/{id}/undo-preview',
  'POST /workflows/{id}/node/{nodeId}/callback',
  'POST /workflows/{id}/node/{nodeId}/callback/{token}',
  'POST /workflows/definitions',
  'GET /workflows/definitions',
  'GET /workflows/definitions/{id}',
  'PUT /workflows/definitions/{id}',
  'DELETE /workflows/definitions/{id}',
  'GET /workflows/definitions/{name}/{version}',
  'POST /workflows/definitions/validate',
  'GET /audit',
  'GET /openapi.json',
  'GET /schema/definition.json',
  'GET /healthz',
  'GET /readyz',
  'GET /metrics',
];

describe('/openapi.json', () => {
  it('describes every row', () => {
    expect(document.openapi).toBe('3.1.0');
    const described = new Set(operations.map(({ method, path }) => `${method} ${path}`));
    expect(rows.filter((row) => !described.has(row))).toEqual([]);
  });

  it('describes only what is served, also below the alias, with answers that it describes', async () => {
    const bodies: Record<string, unknown> = { POST: {}, PUT: {} };
    const undescribed: string[] = [];
    for (const { method, path, responses } of operations) {
      const real = path
        .replaceAll('{id}', missing)
        .replace('{name}/{version}', 'absent/1')
        .replace('{nodeId}', 'n')
        .replace('{token}', 't');
      const prefixes = real.startsWith('/workflows') ? ['/workflows', '/sagas'] : [''];
      for (const prefix of prefixes) {
        const url = prefix === '' ? real : real.replace('/workflows', prefix);
        const answer = await stage.ask(method, url, bodies[method]);
        const isServed = answer.body?.code !== 'unknown_route';
        if (!isServed || !Object.hasOwn(responses, answer.status))
          undescribed.push(`${method} ${url} ${answer.status}`);
      }
    }
    expect(undescribed).toEqual([]);
  });
});

describe('/schema/definition.json', () => {
  it('is a JSON Schema', async () => {
    const { status, body } = await stage.ask('GET', '/schema/definition.json');
    expect([status, body.$schema]).toEqual([200, 'https://json-schema.org/draft/2020-12/schema']);
  });
});

describe('health and metrics', () => {
  it('answer, also to HEAD, to anybody and for the API alone', async () => {
    for (const path of ['/healthz', '/readyz', '/readyz?scope=api']) {
      expect(await stage.ask('GET', path, undefined, { 'x-forwarded-for': 'x' })).toMatchObject({ status: 200 });
      expect(await stage.ask('HEAD', path)).toMatchObject({ status: 200, text: '' });
    }
    const { text, headers } = await stage.ask('GET', '/metrics');
    expect(headers.get('content-type')).toMatch(/^text\/plain/);
    expect(text).toMatch(/^saga_executions\{/m);
  });
});

describe('a method that a path does not have', () => {
  it.each(['HEAD', 'OPTIONS', 'PATCH', 'PUT'])('%s is refused without harm', async (method) => {
    const answer = await stage.ask(method, '/workflows/run');
    expect(answer.status).toBe(404);
  });
});
