/** Runs over many items for tests that kill servers: some items fail and are undone alone. */
import type { AnswerBody } from '../../api-fixture.ts';
import type { SagaBuilder } from '../stage/definitions.ts';
import type { Answer, Received } from '../stage/downstream.ts';

/** Every so many items, the last call is refused. */
const refusedEvery = 7;

interface Said {
  readonly item: number;
}

const isRefused = (item: number): boolean => item % refusedEvery === 3;

/** How the downstream answers a call for an item. */
export function answerOf({ path, body }: Received): Answer {
  const node = path.split('/').at(-1);
  return { status: node === 'ship' && isRefused((JSON.parse(body) as Said).item) ? 409 : 200 };
}

/** A loop over the payload's items: charge, sometimes a nap, and ship, so many at the same time. */
export function definitionOf(saga: SagaBuilder, maxConcurrency: number): object {
  const body = { body: { item: '{{item}}', index: '{{index}}' } };
  const task = (id: string, more: object) => ({
    ...saga.task(id, more, body),
    compensation: saga.call(`undo-${id}`, body),
  });
  const collect = { item: '{{item}}', visit: '{{nodes.charge.visit}}' };
  const each = { kind: 'forEach', id: 'each', items: '{{payload.items}}', entry: 'charge', collect };
  return saga.graph(
    [
      { ...each, maxConcurrency, onItemFailure: 'continue' },
      task('charge', { next: 'nap' }),
      { kind: 'sleep', id: 'nap', durationMillis: 1, next: 'ship' },
      task('ship', {}),
    ],
    { maxNodeVisits: 100 },
  );
}

/** What is wrong with a run over `count` items that is over; empty if nothing is. */
export function problemsOf(document: AnswerBody, count: number, received: readonly Received[]): readonly string[] {
  const problems: string[] = [];
  const expect = (what: string, got: unknown, wanted: unknown): void => {
    if (JSON.stringify(got) === JSON.stringify(wanted)) return;
    problems.push(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
  };
  const refused = Array.from({ length: count }, (_, item) => item).filter(isRefused);
  expect('status', document.status, 'SUCCEEDED');
  const { result } = document;
  expect('ended', [result?.count, result?.failed, result?.items?.length], [count, refused.length, count]);
  const keys = new Map<string, Set<string>>();
  for (const { path, body, key } of received) {
    const { item, index } = JSON.parse(body) as Said & { readonly index: number };
    if (index !== item) problems.push(`item ${String(item)} was called item ${String(index)}`);
    const call = `${path.split('/').at(-1) ?? ''} ${String(item)}`;
    keys.set(call, (keys.get(call) ?? new Set()).add(key));
  }
  for (let item = 0; item < count; item++) {
    const row = result?.items?.[item];
    expect(`item ${String(item)}`, row?.status, isRefused(item) ? 'FAILED' : 'SUCCEEDED');
    if (!isRefused(item)) expect(`result of ${String(item)}`, row?.result?.item, item);
    for (const node of ['charge', 'ship']) {
      // However often a call was repeated, it has one key: no item began twice.
      expect(`keys of ${node} ${String(item)}`, keys.get(`${node} ${String(item)}`)?.size, 1);
    }
    const undone = keys.get(`undo-charge ${String(item)}`)?.size ?? 0;
    expect(`undo of ${String(item)}`, undone, isRefused(item) ? 1 : 0);
  }
  return problems.slice(0, 20);
}
