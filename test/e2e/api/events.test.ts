/** The event stream over a real socket. */
import { expect, it } from 'vitest';
import type { AnswerBody } from '../../api-fixture.ts';
import { openStage } from '../stage/stage.ts';

const stage = openStage();

interface StreamedEvent {
  readonly id: string;
  readonly event: string;
  readonly data: AnswerBody;
}

function eventsOf(text: string): StreamedEvent[] {
  return text
    .split('\n\n')
    .filter((block) => /^id:/m.test(block))
    .map((block) => {
      const field = (name: string): string => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1] ?? '';
      return { id: field('id'), event: field('event'), data: JSON.parse(field('data')) };
    });
}

it('tells everything while it happens, and ends after the terminal status', async () => {
  const saga = stage.saga('followed');
  const gate = Promise.withResolvers<undefined>();
  stage.downstream.script('/followed/b', { after: gate.promise });
  const id = await stage.run(saga.linear(['a', 'b']));
  const answer = await fetch(new URL(`/sagas/${id}/events`, stage.url));
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    expect.stringMatching(/^text\/event-stream/),
  ]);
  let text = '';
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    // Seen before the run is over.
    if (text.includes('"stepName":"a"')) gate.resolve(undefined);
  }
  const events = eventsOf(text);
  expect(events.filter(({ event }) => event === 'step').map(({ data }) => data.stepName)).toEqual(['a', 'b']);
  expect(events.at(-1)).toMatchObject({ event: 'status', data: { status: 'SUCCEEDED' } });
  expect(events.every((event) => event.id !== '')).toBe(true);
  expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
});

it('resumes after any event that was seen', async () => {
  const { id } = await stage.finish(stage.saga('resumed').linear(['a', 'b', 'c']));
  const whole = eventsOf((await stage.ask('GET', `/workflows/${id}/events`)).text);
  const steps = whole.filter(({ event }) => event === 'step');
  expect(steps).toHaveLength(3);
  for (const seen of steps) {
    const rest = await stage.ask('GET', `/workflows/${id}/events`, undefined, { 'last-event-id': seen.id });
    const after = eventsOf(rest.text);
    expect(after.filter(({ event }) => event === 'step')).toEqual(steps.slice(steps.indexOf(seen) + 1));
    expect(after.at(-1)).toMatchObject({ event: 'status', data: { status: 'SUCCEEDED' } });
  }
});

it('tells compensations too', async () => {
  stage.downstream.script('/undone/b', { status: 400 });
  const id = await stage.run(stage.saga('undone').linear(['a', 'b']));
  const events = eventsOf((await stage.ask('GET', `/workflows/${id}/events`)).text);
  expect(events.filter(({ event }) => event === 'step').map(({ data }) => `${data.stepName} ${data.phase}`)).toEqual([
    'a UP',
    'b UP',
    'a DOWN',
  ]);
  expect(events.at(-1)).toMatchObject({ event: 'status', data: { status: 'FAILED' } });
});

it('is 404 for an unknown execution and 400 for a malformed id', async () => {
  expect((await stage.ask('GET', '/workflows/0190a5a0-0000-7000-8000-000000000000/events')).status).toBe(404);
  expect((await stage.ask('GET', '/workflows/x/events')).status).toBe(400);
});
