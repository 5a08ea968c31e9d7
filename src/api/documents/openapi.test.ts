import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../test/api-fixture.ts';

const definition = {
  name: 'order',
  version: '1',
  steps: [{ name: 'reserve', up: { url: 'http://shop.example/reserve', verb: 'POST' } }],
};

let api: ApiFixture;
let document: AnswerBody;
beforeAll(async () => {
  api = await new ApiFixture().open();
  document = (await api.server.inject('/openapi.json')).json();
});
afterAll(() => api.close());

describe('/openapi.json', () => {
  it('has every route once, without the alias', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(document.info.version).toBe('1.2.3');
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(operations.sort()).toEqual(
      [
        'DELETE /holds/{id}',
        'GET /',
        'DELETE /workflows/definitions/{id}',
        'GET /cluster',
        'GET /audit',
        'GET /healthz',
        'GET /holds',
        'GET /holds/{id}',
        'GET /names',
        'GET /openapi.json',
        'GET /readyz',
        'GET /schema/definition.json',
        'GET /session',
        'GET /workflows',
        'GET /workflows/counts',
        'GET /workflows/definitions',
        'GET /workflows/definitions/names',
        'GET /workflows/definitions/{id}',
        'GET /workflows/definitions/{name}/{version}',
        'GET /workflows/top',
        'GET /workflows/{id}',
        'GET /workflows/{id}/audit',
        'GET /workflows/{id}/cancel-preview',
        'GET /workflows/{id}/children',
        'GET /workflows/{id}/definition',
        'GET /workflows/{id}/events',
        'GET /workflows/{id}/node/{nodeId}/callback/{token}',
        'GET /workflows/{id}/retry-preview',
        'GET /workflows/{id}/undo-preview',
        'GET /workflows/{id}/steps',
        'GET /workflows/{id}/steps/calls',
        'GET /workflows/{id}/steps/calls/{callId}',
        'GET /workflows/{id}/terminate-preview',
        'GET /workflows/{id}/timeline',
        'POST /workflows/bulk',
        'POST /workflows/definitions',
        'POST /workflows/definitions/validate',
        'POST /workflows/definitions/{name}/{version}/run',
        'POST /workflows/run',
        'POST /workflows/{id}/cancel',
        'POST /workflows/{id}/node/{nodeId}/callback',
        'POST /workflows/{id}/node/{nodeId}/callback/{token}',
        'POST /workflows/{id}/resolve',
        'POST /workflows/{id}/undo',
        'POST /workflows/{id}/hook/redeliver',
        'POST /workflows/{id}/retry',
        'POST /workflows/{id}/terminate',
        'POST /workflows/{id}/wake',
        'PUT /holds/{id}',
        'PUT /workflows/definitions/{id}',
      ].sort(),
    );
  });

  it('names every operation differently', () => {
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods as object).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has references that lead somewhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]!);
    expect(references).toContain('#/components/schemas/Definition');
    for (const reference of new Set(references)) {
      const found = reference
        .slice(2)
        .split('/')
        .reduce<AnswerBody>((at, part) => at?.[part], document);
      expect([reference, typeof found]).toEqual([reference, 'object']);
    }
  });

  it('says which credentials every operation needs', () => {
    const schemes = Object.keys(document.components.securitySchemes);
    const either = [{ bearer: [] }, { apiKey: [] }];
    for (const [path, methods] of Object.entries<Record<string, AnswerBody>>(document.paths)) {
      for (const { security, description, responses } of Object.values(methods)) {
        const names = security.flatMap((one: object) => Object.keys(one));
        expect(names.filter((name: string) => !schemes.includes(name))).toEqual([]);
        const isOpen = path.includes('/callback') || ['/', '/healthz', '/readyz'].includes(path);
        expect([path, security.length > 1, '403' in responses]).toEqual([path, !isOpen, !isOpen]);
        // The session tells more to callers with credentials.
        if (path === '/session') expect(security).toContainEqual({});
        else if (!isOpen) expect(description).toMatch(/^Needs the role \w+/);
      }
    }
    expect(document.paths['/workflows/run'].post.security).toEqual(either);
    expect(document.paths['/workflows/{id}/node/{nodeId}/callback'].post.security).toEqual([{ callbackToken: [] }]);
  });

  it('accepts a definition where a run takes one, and refuses a broken one', () => {
    const ajv = new Ajv2020({ strict: false, formats: { uuid: true, 'date-time': true } });
    ajv.addSchema({ $id: 'api', ...document });
    const path = 'api#/paths/~1workflows~1run/post/requestBody/content/application~1json/schema';
    const validate = ajv.compile({ $ref: path });
    expect(validate({ definition })).toBe(true);
    expect(validate({ definition: { ...definition, steps: 1 } })).toBe(false);
    expect(validate({ definition, unknown: 1 })).toBe(false);
  });

  it('describes the documents as they are', async () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { uuid: true, 'date-time': true } });
    ajv.addSchema({ $id: 'api', ...document });
    const id = await api.run(definition, { payload: { a: 1 } });
    await api.drive(id, () => response(500));
    await api.server.inject({ method: 'POST', url: `/workflows/${id}/cancel`, payload: { reason: 'x' } });
    const asked: [path: string, url: string][] = [
      ['/workflows', '/workflows'],
      ['/workflows/{id}', `/workflows/${id}`],
      ['/workflows/{id}/steps', `/workflows/${id}/steps`],
      ['/workflows/{id}/steps/calls', `/workflows/${id}/steps/calls`],
      ['/audit', '/audit'],
    ];
    for (const [path, url] of asked) {
      const pointer = path.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D');
      const validate = ajv.compile({
        $ref: `api#/paths/${pointer}/get/responses/200/content/application~1json/schema`,
      });
      validate((await api.server.inject(url)).json());
      expect([path, validate.errors]).toEqual([path, null]);
    }
  });
});

describe('/schema/definition.json', () => {
  it('is the schema of definitions', async () => {
    const answer = await api.server.inject('/schema/definition.json');
    expect(answer.headers['content-type']).toBe('application/schema+json; charset=utf-8');
    const validate = new Ajv2020({ strict: false }).compile(answer.json());
    expect(validate(definition)).toBe(true);
    expect(validate({})).toBe(false);
  });
});
