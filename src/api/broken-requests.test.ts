import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../test/api-fixture.ts';
import { brokenRequests } from '../../test/definitions/broken-requests.ts';

let api: ApiFixture;
beforeAll(async () => {
  api = await new ApiFixture().open();
});
afterAll(() => api.close());

describe('a request is refused that has', () => {
  it.each(brokenRequests)('$name', async ({ method, url, body, headers, status, code, errors }) => {
    const answer = await api.server.inject({
      method,
      url,
      ...(body !== undefined && { payload: body }),
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    });
    expect([answer.statusCode, answer.json()]).toEqual([
      status,
      { errors, code, requestId: answer.headers['x-request-id'] },
    ]);
  });

  it('enough of them', () => {
    expect(brokenRequests.length).toBeGreaterThanOrEqual(60);
    expect(new Set(brokenRequests.map(({ name }) => name)).size).toBe(brokenRequests.length);
  });
});
