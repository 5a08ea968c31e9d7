import { expect, it } from 'vitest';
import { StoreUnavailable } from '../../ports/store.ts';
import { Gathered } from './gathered.ts';

type Sent = { readonly questions: readonly number[] } & PromiseWithResolvers<readonly string[]>;

function gathered(): { readonly reads: Gathered<number, string>; readonly sent: Sent[] } {
  const sent: Sent[] = [];
  const reads = new Gathered<number, string>((questions) => {
    const statement = { questions, ...Promise.withResolvers<readonly string[]>() };
    sent.push(statement);
    return statement.promise;
  });
  return { reads, sent };
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

const answer = ({ questions, resolve }: Sent): void => resolve(questions.map((question) => `a${String(question)}`));

it('asks together what is asked in one turn, and what is asked while two statements are under way', async () => {
  const { reads, sent } = gathered();
  const first = Promise.all([reads.ask(1), reads.ask(2)]);
  await settle();
  const second = reads.ask(3);
  await settle();
  const rest = Promise.all([reads.ask(4), reads.ask(5)]);
  await settle();
  const last = reads.ask(6);
  await settle();
  expect(sent.map(({ questions }) => questions)).toEqual([[1, 2], [3]]);
  answer(sent[1] as Sent);
  expect(await second).toBe('a3');
  await settle();
  expect(sent.map(({ questions }) => questions)).toEqual([[1, 2], [3], [4, 5, 6]]);
  answer(sent[0] as Sent);
  answer(sent[2] as Sent);
  expect([await first, await rest, await last]).toEqual([['a1', 'a2'], ['a4', 'a5'], 'a6']);
});

it('bounds a statement', async () => {
  const { reads, sent } = gathered();
  const all = Promise.all(Array.from({ length: 120 }, (_, i) => reads.ask(i)));
  await settle();
  expect(sent.map(({ questions }) => questions.length)).toEqual([50, 50]);
  for (const statement of sent) answer(statement);
  await settle();
  expect(sent.map(({ questions }) => questions.length)).toEqual([50, 50, 20]);
  answer(sent[2] as Sent);
  expect(await all).toEqual(Array.from({ length: 120 }, (_, i) => `a${String(i)}`));
});

it('bounds what a transaction carries, unless one question alone is larger', async () => {
  const mebibyte = 1024 * 1024;
  const sent: (readonly number[])[] = [];
  const gathered = new Gathered<number, number>(
    (sizes) => {
      sent.push(sizes);
      return Promise.resolve(sizes);
    },
    (size) => size * mebibyte,
  );
  const sizes = [1, 2, 1, 1, 9, 3, 0, 1];
  expect(await Promise.all(sizes.map((size) => gathered.ask(size)))).toEqual(sizes);
  expect(sent).toEqual([[1, 2, 1], [1], [9], [3, 0, 1]]);
});

it('fails for all without an answer, and goes on', async () => {
  const { reads, sent } = gathered();
  const asked = [reads.ask(1), reads.ask(2)];
  await settle();
  sent[0]?.reject(new StoreUnavailable('unreachable', 'Away.'));
  for (const each of asked) await expect(each).rejects.toThrow('Away.');
  const next = reads.ask(3);
  await settle();
  answer(sent[1] as Sent);
  expect(await next).toBe('a3');
});

it('asks one by one where a value is refused, so that the others are answered', async () => {
  const reads = new Gathered<number, number>((questions) =>
    questions.includes(2) ? Promise.reject(new Error('Odd.')) : Promise.resolve(questions.map((each) => each * 10)),
  );
  expect(await Promise.allSettled([1, 2, 3].map((each) => reads.ask(each)))).toEqual([
    { status: 'fulfilled', value: 10 },
    { status: 'rejected', reason: new Error('Odd.') },
    { status: 'fulfilled', value: 30 },
  ]);
});
