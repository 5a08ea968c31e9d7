/** Families of executions for tests that kill servers: three deep, some of which are undone. */
import type { AnswerBody } from '../../api-fixture.ts';
import type { Answer, Received } from '../stage/downstream.ts';
import type { SagaBuilder } from '../stage/definitions.ts';

/** What asks a server. Throws when there is no answer. */
export type Ask = (method: string, path: string, body?: object) => Promise<{ status: number; body: AnswerBody }>;

/** How a family ends: all succeed; the root fails after its child; the child fails after its own child. */
const courses = ['all', 'root', 'child'] as const;

/** What a call says of itself. */
interface Said {
  readonly n: number;
}

/** The course of a family by its number. */
function courseOf(n: number): (typeof courses)[number] {
  return courses[n % courses.length]!;
}

/** How the downstream answers a call of a family. */
export function answerOf({ path, body }: Received): Answer {
  const node = path.split('/').at(-1);
  const course = courseOf((JSON.parse(body) as Said).n);
  const fails = (node === 'last' && course === 'root') || (node === 'second' && course === 'child');
  return { status: fails ? 400 : 200 };
}

/** The definitions, innermost first; all but the last are stored. */
export function definitionsOf(builder: (name: string) => SagaBuilder): readonly object[] {
  const node = (name: string, next: string) => ({
    kind: 'workflow',
    id: 'sub',
    definition: { name, version: 'latest' },
    payload: { n: '{{payload.n}}' },
    next,
  });
  const task = (saga: SagaBuilder, id: string, next?: string) => {
    const body = { body: { n: '{{payload.n}}' } };
    const made = saga.task(id, next === undefined ? {} : { next }, body);
    return { ...made, compensation: saga.call(`undo-${id}`, body) };
  };
  const [leaf, inner, outer] = ['leaf', 'inner', 'outer'].map(builder) as [SagaBuilder, SagaBuilder, SagaBuilder];
  return [
    leaf.graph([task(leaf, 'only')]),
    inner.graph([task(inner, 'first', 'sub'), node('leaf', 'second'), task(inner, 'second')]),
    outer.graph([task(outer, 'begin', 'sub'), node('inner', 'last'), task(outer, 'last')]),
  ];
}

/** The calls of each course, in any order; each has one key, however often it was repeated. */
const calls: Readonly<Record<(typeof courses)[number], readonly string[]>> = {
  all: ['begin', 'first', 'only', 'second', 'last'],
  root: ['begin', 'first', 'only', 'second', 'last', 'undo-second', 'undo-only', 'undo-first', 'undo-begin'],
  child: ['begin', 'first', 'only', 'second', 'undo-only', 'undo-first', 'undo-begin'],
};

/** What undoes the call of each course that fails. */
const undoOfFailing = { all: '', root: 'undo-last', child: 'undo-second' };

/** What is wrong with a family that is over; empty if nothing is. */
export async function problemsOf(ask: Ask, id: string, n: number, received: readonly Received[]): Promise<string[]> {
  const problems: string[] = [];
  const course = courseOf(n);
  const expect = (what: string, got: unknown, wanted: unknown): void => {
    if (JSON.stringify(got) !== JSON.stringify(wanted)) {
      problems.push(`${String(n)} ${course} ${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
    }
  };
  const show = async (path: string): Promise<AnswerBody> => (await ask('GET', path)).body;
  const outer = await show(`/workflows/${id}`);
  expect('root', outer.status, course === 'all' ? 'SUCCEEDED' : 'FAILED');
  const inner = await show(`/workflows/${id}/children`);
  const ended = { all: 'SUCCEEDED', root: 'CANCELLED', child: 'FAILED' }[course];
  expect(
    'children',
    inner.map(({ status }: AnswerBody) => status),
    [ended],
  );
  const leaf = await show(`/workflows/${inner[0].id}/children`);
  const leafEnd = course === 'all' ? 'SUCCEEDED' : 'CANCELLED';
  expect(
    'grandchildren',
    leaf.map(({ status }: AnswerBody) => status),
    [leafEnd],
  );
  const keys = new Map<string, Set<string>>();
  for (const { path, body, key } of received) {
    if ((JSON.parse(body) as Said).n !== n) continue;
    const node = path.split('/').at(-1) ?? '';
    keys.set(node, (keys.get(node) ?? new Set()).add(key));
  }
  // A failing call that a kill interrupted is of unknown outcome, and is undone.
  const seen = [...keys.keys()].filter((node) => node !== undoOfFailing[course]);
  expect('calls', seen.toSorted(), calls[course].toSorted());
  for (const [node, of] of keys) expect(`keys of ${node}`, of.size, 1);
  return problems;
}
