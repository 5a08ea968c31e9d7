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
  events
    .filter(({ event }) => event === 'step' || event === 'status')
    .map(({ event, data }) => (event === 'step' ? `${data.stepName} ${data.phase}` : data.status));

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

  it('begins after a position that an answer told, or now', async () => {
    const id = await api.run(definition);
    const before = await api.server.inject(`/workflows/${id}`);
    await api.drive(id, () => response(200));
    const from = async (after: string, headers = {}): Promise<ServerEvent[]> =>
      eventsIn((await api.server.inject({ url: `/workflows/${id}/events?after=${after}`, headers })).body);
    const whole = eventsIn((await api.server.inject(`/workflows/${id}/events`)).body);
    const rest = await from(String(before.headers['x-event-position']));
    expect(rest.map(({ event, data }) => ({ event, data }))).toEqual(whole.map(({ event, data }) => ({ event, data })));
    const [first] = whole;
    expect(await from(first?.id ?? '')).toEqual(whole.slice(1));
    // The header is the later one.
    expect(await from('now', { 'last-event-id': first?.id })).toEqual(whole.slice(1));
    for (const path of ['', '/timeline', '/steps']) {
      const { headers } = await api.server.inject(`/workflows/${id}${path}`);
      const rest = await api.server.inject(`/workflows/${id}/events?after=${String(headers['x-event-position'])}`);
      expect([path, rest.statusCode]).toEqual([path, 204]);
    }
    expect((await api.server.inject(`/workflows/${id}/events?after=now`)).statusCode).toBe(204);
  });

  it('refuses a position of another run, and one that is malformed', async () => {
    const [id, other] = [await api.run(definition), await api.run(definition)];
    const { headers } = await api.server.inject(`/workflows/${other}`);
    for (const after of [String(headers['x-event-position']), 'x', '1:2', 'abcdef01.1']) {
      const answer = await api.server.inject(`/workflows/${id}/events?after=${after}`);
      expect([answer.statusCode, answer.json().errors[0]]).toEqual([400, expect.stringMatching(/^after: /)]);
    }
    await api.drive(id, () => response(200));
    // An id of another run counts as none.
    const answer = await api.server.inject({
      url: `/workflows/${id}/events`,
      headers: { 'last-event-id': String(headers['x-event-position']) },
    });
    expect(words(eventsIn(answer.body))).toEqual(['reserve UP', 'pay UP', 'SUCCEEDED']);
  });

  it('tells attempts and places while it is open, and the place first', async () => {
    const id = await api.run({
      ...definition,
      failureHandling: { type: 'retry', maxAttempts: 3, delayMillis: 60_000 },
    });
    const streamed = api.server.inject(`/workflows/${id}/events?after=now`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await api.drive(id, () => response(503));
    await new Promise((resolve) => setTimeout(resolve, 100));
    api.now += 60_000;
    await api.drive(id, () => response(200));
    const events = eventsIn((await streamed).body);
    expect(events[0]).toMatchObject({
      event: 'place',
      data: { status: 'IN_PROGRESS', currentNodes: [{ nodeId: 'reserve' }] },
    });
    const ended = events.filter(({ event, data }) => event === 'call' && data.state === 'ended');
    expect(ended.map(({ data }) => [data.nodeId, data.attempt, data.outcome, data.statusCode])).toEqual([
      ['reserve', 1, 'rejected', 503],
      ['reserve', 2, 'succeeded', 200],
      ['pay', 1, 'succeeded', 200],
    ]);
    expect(ended[0]?.data).toMatchObject({ phase: 'UP', visit: 1, round: 1, callId: expect.any(String) });
    const waits = events.filter(({ event, data }) => event === 'place' && data.currentNodes[0].state === 'BACKOFF');
    expect(waits).toHaveLength(1);
    expect(JSON.stringify(events.filter(({ event }) => event === 'call'))).not.toContain('Body');
    // Events that are not kept lead back to the last kept one.
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
    expect(events.at(-1)).toMatchObject({ event: 'status', data: { status: 'SUCCEEDED' } });
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
