import { expect, it } from 'vitest';
import { VirtualClock } from '../../../../simulator/virtual-clock.ts';
import { SharedAnswers } from './shared-answers.ts';

function asked(): {
  shared: SharedAnswers;
  clock: VirtualClock;
  open: (() => void)[];
  make: () => Promise<string>;
  made: () => number;
} {
  const clock = new VirtualClock();
  const open: (() => void)[] = [];
  let count = 0;
  const make = (): Promise<string> =>
    new Promise((resolve) => {
      const no = ++count;
      open.push(() => resolve(`answer ${String(no)}`));
    });
  return { shared: new SharedAnswers(() => clock), clock, open, make, made: () => count };
}

it('shares an answer while it is made and for two seconds after', async () => {
  const { shared, clock, open, make, made } = asked();
  const both = [shared.answer('a', 'k', make), shared.answer('b', 'k', make)];
  await clock.advance(0);
  open.shift()?.();
  expect(await Promise.all(both)).toEqual(['answer 1', 'answer 1']);
  await clock.advance(1_999);
  expect(await shared.answer('a', 'k', make)).toBe('answer 1');
  await clock.advance(2);
  const later = shared.answer('a', 'k', make);
  await clock.advance(0);
  open.shift()?.();
  expect([await later, made()]).toEqual(['answer 2', 2]);
});

it('lets a caller have four questions under way, and refuses what waits too long', async () => {
  const { shared, clock, open, make, made } = asked();
  const first = ['1', '2', '3', '4'].map((key) => shared.answer('a', key, make));
  const fifth = shared.answer('a', '5', make);
  const sixth = shared.answer('a', '6', make);
  const other = shared.answer('b', '7', make);
  await clock.advance(0);
  expect(made()).toBe(5);
  open.shift()?.();
  await clock.advance(0);
  expect(made()).toBe(6);
  const refused = sixth.catch((error: unknown) => error);
  await clock.advance(2_001);
  expect(await refused).toMatchObject({ code: 'too_many_waiting' });
  for (const go of open) go();
  expect(await Promise.all([...first, fifth, other])).toHaveLength(6);
});

it('does not keep a failure', async () => {
  const { shared, make, open, clock } = asked();
  await expect(shared.answer('a', 'k', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  const next = shared.answer('a', 'k', make);
  await clock.advance(0);
  open.shift()?.();
  expect(await next).toBe('answer 1');
});
