import { setImmediate as loopTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Turns } from './turns.ts';

it('gives the event loop its turn between pieces, however many ask', async () => {
  let now = 0;
  const turns = new Turns(() => now);
  const done: string[] = [];
  const work = async (name: string): Promise<void> => {
    for (let piece = 1; piece <= 2; piece++) {
      await turns.next();
      done.push(`${name}${String(piece)}`);
      now += 11;
    }
  };
  const all = Promise.all(['a', 'b', 'c'].map((name) => work(name)));
  const seen: number[] = [];
  while (done.length < 6) {
    await loopTurn();
    seen.push(done.length);
  }
  await all;
  expect(done).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2']);
  // Never two pieces between two looks of the event loop.
  expect(seen.every((count, i) => count - (seen[i - 1] ?? 0) <= 1)).toBe(true);
});

it('lets work go on while its slice lasts', async () => {
  const turns = new Turns(() => 0);
  await turns.next();
  let looked = 0;
  void loopTurn().then(() => looked++);
  for (let i = 0; i < 1000; i++) await turns.next();
  expect(looked).toBe(0);
});
