import { afterEach, expect, it } from 'vitest';
import { ApiFixture } from '../../test/api-fixture.ts';
import { basePathOf, withoutBase } from './base-path.ts';

let api: ApiFixture | undefined;
afterEach(() => api?.close());

it.each([
  ['/a/b/workflows?limit=1', '/workflows?limit=1'],
  ['/a/b/', '/'],
  ['/a/b', '/'],
  ['/a/b?x=1', '/?x=1'],
  ['/a/bc/workflows', '/a/bc/workflows'],
  ['/workflows', '/workflows'],
])('%s is served as %s', (url, served) => {
  expect(withoutBase('/a/b')({ url })).toBe(served);
});

it('is carried by links', () => {
  expect(basePathOf({ originalUrl: '/a/b/workflows/run', url: '/workflows/run' })).toBe('/a/b');
  expect(basePathOf({ originalUrl: '/workflows/run', url: '/workflows/run' })).toBe('');
});

it('serves everything below the prefix and at the root, and Location carries it', async () => {
  api = await new ApiFixture({ basePath: '/a/b' }).open();
  const definition = { name: 'n', version: '1', steps: [{ name: 's', up: { url: 'http://x.example', verb: 'GET' } }] };
  for (const [prefix, route] of [
    ['/a/b', '/workflows/run'],
    ['', '/workflows/run'],
    ['/a/b', '/sagas/run'],
  ] as const) {
    const answer = await api.server.inject({ method: 'POST', url: prefix + route, payload: { definition } });
    expect(answer.statusCode).toBe(200);
    const { id } = answer.json<{ id: string }>();
    expect(answer.headers['location']).toBe(`${prefix}${route.replace('/run', '')}/${id}`);
  }
  const index = await api.server.inject({ url: '/a/b/', headers: { accept: 'application/json' } });
  expect(index.json()).toMatchObject({ api: '/a/b/workflows' });
});
