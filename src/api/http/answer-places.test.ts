import { expect, it } from 'vitest';
import { AnswerPlaces } from './answer-places.ts';
import { ApiError } from './failure.ts';

/** Requests of callers in this order; `went` lists the callers that got their place. */
function arrivals(places: AnswerPlaces): { readonly went: string[]; readonly come: (caller: string) => () => void } {
  const went: string[] = [];
  return { went, come: (caller) => places.enter(caller, () => went.push(caller)) };
}

it('lets few answers be made at a time, and leaves a place for another caller', () => {
  const places = new AnswerPlaces();
  const { went, come } = arrivals(places);
  const leave = ['a', 'a', 'a', 'a'].map((caller) => come(caller));
  expect(went).toEqual(['a', 'a', 'a']);
  come('b');
  expect(went).toEqual(['a', 'a', 'a', 'b']);
  leave[0]?.();
  leave[0]?.();
  expect(went).toEqual(['a', 'a', 'a', 'b', 'a']);
  expect(places.counts).toEqual({ made: 4, waiting: 0, unreadBytes: 0 });
});

it('lets callers take turns, however many requests of one wait', () => {
  const places = new AnswerPlaces();
  const { went, come } = arrivals(places);
  const first = ['a', 'a', 'a'].map((caller) => come(caller));
  for (let i = 0; i < 100; i++) come('a');
  come('b');
  come('b');
  come('c');
  expect(went).toEqual(['a', 'a', 'a', 'b']);
  for (const leave of first) leave();
  expect(went.slice(4)).toEqual(expect.arrayContaining(['b', 'c']));
  expect(went.slice(4).filter((caller) => caller === 'a')).toHaveLength(1);
});

it('forgets who has gone while waiting', () => {
  const places = new AnswerPlaces();
  const { went, come } = arrivals(places);
  const made = ['a', 'a', 'a'].map((caller) => come(caller));
  const waiting = come('a');
  come('a');
  waiting();
  expect(places.counts.waiting).toBe(1);
  for (const leave of made) leave();
  expect(went).toHaveLength(4);
  expect(places.counts).toEqual({ made: 1, waiting: 0, unreadBytes: 0 });
});

it('refuses only a caller with too many waiting requests', () => {
  const places = new AnswerPlaces();
  const { went, come } = arrivals(places);
  for (let i = 0; i < 203; i++) come('a');
  expect(() => come('a')).toThrow(ApiError);
  come('b');
  expect(went.at(-1)).toBe('b');
  places.enter('a', () => undefined, true);
  expect(places.counts.waiting).toBe(201);
});

it('cuts the oldest answer of the caller whose readers take the least', () => {
  const places = new AnswerPlaces();
  const cut: string[] = [];
  const mebibyte = 1024 * 1024;
  const send = (name: string, caller: string, size: number): (() => void) =>
    places.send({ caller, bytes: size * mebibyte, cut: () => cut.push(name) });
  send('b1', 'b', 20);
  const taken = send('a1', 'a', 20);
  send('a2', 'a', 20);
  expect(cut).toEqual([]);
  send('a3', 'a', 20);
  expect(cut).toEqual(['a1']);
  expect(places.counts.unreadBytes).toBe(60 * mebibyte);
  taken();
  expect(places.counts.unreadBytes).toBe(60 * mebibyte);
  send('c1', 'c', 80);
  // A single answer may exceed the limit on all answers.
  expect(cut).toEqual(['a1', 'c1']);
});
