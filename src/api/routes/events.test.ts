import { get as httpGet } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AnswerBody, ApiFixture, response } from '../../../test/api-fixture.ts';
import { apiKeyOf, authenticatorOf } from '../../../test/credentials.ts';

const definition = {
  name: 'order',
  version: '1',
  steps: ['reserve', 'pay'].map((name) => ({ name, up: { url: `http://shop.example/${name}`, verb: 'POST' } })),
};

let api: ApiFixture;
beforeEach(async () => {
  api = await new ApiFixture().open();
});
afterEach(() => api.close());

interface ServerEvent {
  readonly id: string;
  readonly event: string;
  readonly data: AnswerBody;
}

function eventsIn(text: string): ServerEvent[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('id: '))
    .map((block) => {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2))) as Record<
        string,
        string
      >;
      return { id: fields['id']!, event: fields['event']!, data: JSON.parse(fields['data']!) };
    });
}

const words = (events: readonly ServerEvent[]): string[] =>
  events.map(({ event, data }) => (event === 'step' ? `${data.stepName} ${data.phase}` : data.status));

describe('GET /workflows/{id}/events', () => {
  it('tells everything of an execution that is over, and ends', async () => {
    const id = await api.run(definition);
    await api.drive(id, () => response(200));
    const answer = await api.server.inject(`/workflows/${id}/events`);
    expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    const events = eventsIn(answer.body);
    expect(words(events)).toEqual(['reserve UP', 'pay UP', 'SUCCEEDED']);
    expect(new Set(events.map((event) => event.id)).size).toBe(3);
  });

  it('resumes after the last event that was seen, and then has nothing more', async () => {
    const id = await api.run(definition);
    await api.drive(id, () => response(200));
    const all = eventsIn((await api.server.inject(`/workflows/${id}/events`)).body);
    const rest = await api.server.inject({ url: `/workflows/${id}/events`, headers: { 'last-event-id': all[0]!.id } });
    expect(eventsIn(rest.body)).toEqual(all.slice(1));
    const nothing = await api.server.inject({
      url: `/workflows/${id}/events`,
      headers: { 'last-event-id': all[2]!.id },
    });
    expect(nothing.statusCode).toBe(204);
    const nonsense = await api.server.inject({ url: `/workflows/${id}/events`, headers: { 'last-event-id': 'x' } });
    expect(eventsIn(nonsense.body)).toEqual(all);
  });

  it('ends with the credentials with which it began', async () => {
    const { now } = api;
    await api.close();
    api = await new ApiFixture({
      authenticator: authenticatorOf({ soon: { roles: ['author'], expiresAt: now + 100 } }, { now: () => api.now }),
    }).open();
    const headers = { 'x-api-key': apiKeyOf('soon') };
    const started = await api.server.inject({
      method: 'POST',
      url: '/workflows/run',
      payload: { definition },
      headers,
    });
    const answer = await api.server.inject({ url: `/workflows/${started.json().id}/events`, headers });
    expect(words(eventsIn(answer.body))).toEqual(['IN_PROGRESS']);
    api.now += 100;
    expect((await api.server.inject({ url: '/workflows', headers })).statusCode).toBe(401);
  });

  it('follows an execution that runs', async () => {
    const id = await api.run(definition);
    const streamed = api.server.inject(`/workflows/${id}/events`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await api.drive(id, () => response(200));
    const events = words(eventsIn((await streamed).body));
    expect(events[0]).toBe('IN_PROGRESS');
    expect(events.filter((word) => word.endsWith(' UP'))).toEqual(['reserve UP', 'pay UP']);
    expect(events.at(-1)).toBe('SUCCEEDED');
  });

  it('ends when the server stops, and when the client goes', async () => {
    const id = await api.run(definition);
    await api.server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = api.server.server.address() as AddressInfo;
    const url = `http://127.0.0.1:${String(port)}/workflows/${id}/events`;
    await new Promise<void>((resolve) => {
      const gone = httpGet(url, (answer) => {
        answer.once('data', () => {
          gone.destroy();
          resolve();
        });
      });
      gone.on('error', () => undefined);
    });
    const ended = new Promise<void>((resolve, reject) => {
      httpGet(url, (answer) => {
        answer.once('data', () => void api.server.close());
        answer.on('end', resolve).on('error', reject);
      }).on('error', reject);
    });
    await ended;
  });

  it('is 404 for an unknown execution and 429 for too many', async () => {
    expect((await api.server.inject('/workflows/00000000-0000-7000-8000-000000000000/events')).statusCode).toBe(404);
    await api.close();
    api = await new ApiFixture({ limits: { maxOpenRequests: 1 } }).open();
    const id = await api.run(definition);
    const first = api.server.inject(`/workflows/${id}/events`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await api.server.inject(`/workflows/${id}/events`)).statusCode).toBe(429);
    await api.drive(id, () => response(200));
    expect((await first).statusCode).toBe(200);
  });
});
