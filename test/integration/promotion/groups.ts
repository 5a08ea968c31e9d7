/** The kinds of executions that a data directory is filled with: how each is left, and what must become of it. */
import { retries, type SagaBuilder } from '../../e2e/stage/definitions.ts';
import type { Stage } from '../../e2e/stage/stage.ts';

/** Executions that wait for their time: longer than filling the directory takes, short enough to wait for. */
const shortMillis = 20_000;
const hour = 3_600_000;

/** Paths that answer 500 until everything was moved. */
export const brokenAtFirst: readonly string[] = [
  '/compensating/undo-a',
  '/corrupted/undo-a',
  '/backing/a',
  '/again/a',
  '/failed/b',
  '/untold/won',
];

/** A kind of executions. */
export interface Group {
  readonly name: string;
  readonly count: number;
  readonly definition: () => object;
  readonly startAt?: () => string;
  /** Brings one to where it is left. */
  readonly leave: (id: string) => Promise<unknown>;
  /** Does what it waits for, on the other side. */
  readonly finish?: (id: string) => Promise<unknown>;
  readonly end: string;
}

/** What groups act on. */
export interface Scene {
  readonly stage: Stage;
  readonly scale: number;
  /** Delivers a callback, which must be accepted. */
  readonly callBack: (id: string, group: string, node: string, body: object) => Promise<void>;
  /** Told of nodes whose callback was used. */
  readonly answered: (id: string, node: string) => void;
}

/** Does it, and expects this HTTP status. */
export async function expectStatus(answer: Promise<number>, status: number): Promise<void> {
  const got = await answer;
  if (got !== status) throw new Error(`answered ${got}, not ${status}`);
}

/** All groups; as many executions as `scale` says, more or less. */
export function planGroups({ stage, scale, callBack, answered }: Scene): readonly Group[] {
  // The downstream's address is known only once it listens.
  const sagaOf = (name: string, build: (saga: SagaBuilder) => object) => () => build(stage.saga(name));
  const part = (share: number): number => Math.max(2, Math.round(share * scale));
  const patient = { timeoutMillis: hour };
  const until = (status: string) => (id: string) => stage.untilStatus(id, status);
  const wake = (id: string): Promise<void> => expectStatus(stage.control(id, 'wake'), 202);
  const nap = (durationMillis: number): object => ({ kind: 'sleep', id: 'nap', durationMillis, next: 'b' });
  const later = retries(50, { delayMillis: shortMillis });
  const undone = { kind: 'fail', id: 'no', reason: 'as planned' };
  return [
    {
      name: 'sleeping',
      count: part(0.15),
      definition: sagaOf('sleeping', (saga) =>
        saga.graph([saga.task('a', { next: 'nap' }), nap(hour), saga.task('b')]),
      ),
      leave: until('SLEEPING'),
      finish: wake,
      end: 'SUCCEEDED',
    },
    {
      name: 'napping',
      count: part(0.07),
      definition: sagaOf('napping', (saga) => saga.graph([nap(shortMillis), saga.task('b')])),
      leave: until('SLEEPING'),
      end: 'SUCCEEDED',
    },
    {
      name: 'waiting',
      count: part(0.15),
      definition: sagaOf('waiting', (saga) =>
        saga.graph([saga.task('a', { next: 'ask' }), saga.asyncTask('ask', { next: 'b' }, patient), saga.task('b')]),
      ),
      leave: until('WAITING_CALLBACK'),
      finish: (id) => callBack(id, 'waiting', 'ask', { n: 1 }),
      end: 'SUCCEEDED',
    },
    {
      name: 'answered',
      count: part(0.1),
      definition: sagaOf('answered', (saga) =>
        saga.graph([saga.asyncTask('ask', { next: 'more' }, patient), saga.asyncTask('more', {}, patient)]),
      ),
      leave: async (id) => {
        await stage.untilStatus(id, 'WAITING_CALLBACK');
        await callBack(id, 'answered', 'ask', { first: 1 });
        answered(id, 'ask');
        await stage.until(
          id,
          ({ currentNodes }) => currentNodes[0]?.nodeId === 'more' && currentNodes[0].state === 'WAITING_CALLBACK',
        );
      },
      finish: (id) => callBack(id, 'answered', 'more', { n: 2 }),
      end: 'SUCCEEDED',
    },
    {
      name: 'pending',
      count: part(0.05),
      definition: sagaOf('pending', (saga) =>
        saga.graph([saga.asyncTask('ask', {}, { ...patient, pendingWhen: { var: 'callback.body.busy' } })]),
      ),
      leave: async (id) => {
        await stage.untilStatus(id, 'WAITING_CALLBACK');
        await callBack(id, 'pending', 'ask', { busy: true });
      },
      finish: async (id) => {
        await callBack(id, 'pending', 'ask', { busy: true });
        await callBack(id, 'pending', 'ask', { done: 1 });
      },
      end: 'SUCCEEDED',
    },
    {
      name: 'just-answered',
      count: part(0.03),
      definition: sagaOf('just-answered', (saga) => saga.graph([saga.asyncTask('ask', {}, patient)])),
      leave: until('WAITING_CALLBACK'),
      end: 'SUCCEEDED',
    },
    {
      name: 'backing',
      count: part(0.1),
      definition: sagaOf('backing', (saga) => saga.graph([saga.task('a', { failureHandling: later })])),
      leave: (id) => stage.until(id, ({ currentNodes }) => currentNodes[0]?.state === 'BACKOFF'),
      end: 'SUCCEEDED',
    },
    {
      name: 'compensating',
      count: part(0.07),
      definition: sagaOf('compensating', (saga) =>
        saga.graph([saga.task('a', { next: 'c' }), saga.task('c', { next: 'no' }), undone], {
          compensationHandling: later,
        }),
      ),
      leave: until('COMPENSATING'),
      end: 'FAILED',
    },
    {
      name: 'corrupted',
      count: part(0.05),
      definition: sagaOf('corrupted', (saga) => saga.graph([saga.task('a', { next: 'no' }), undone])),
      leave: until('CORRUPTED'),
      finish: (id) => expectStatus(stage.control(id, 'retry'), 202),
      end: 'FAILED',
    },
    {
      name: 'again',
      count: part(0.03),
      definition: sagaOf('again', (saga) =>
        saga.graph([saga.task('z', { next: 'a' }), saga.task('a', { next: 'nap' }), nap(hour), saga.task('b')]),
      ),
      leave: until('FAILED'),
      finish: async (id) => {
        await expectStatus(stage.control(id, 'retry'), 202);
        await stage.untilStatus(id, 'SLEEPING');
        await wake(id);
      },
      end: 'SUCCEEDED',
    },
    {
      name: 'split',
      count: part(0.05),
      definition: sagaOf('split', (saga) =>
        saga.graph([
          { kind: 'split', id: 'fork', branches: ['x', 'y', 'nap'], join: 'joined' },
          saga.asyncTask('x', {}, patient),
          saga.task('y'),
          { kind: 'sleep', id: 'nap', durationMillis: hour },
          { kind: 'join', id: 'joined', next: 'end' },
          saga.task('end'),
        ]),
      ),
      leave: until('WAITING_CALLBACK'),
      finish: async (id) => {
        await callBack(id, 'split', 'x', { n: 1 });
        await wake(id);
      },
      end: 'SUCCEEDED',
    },
    {
      // Over, and its hook is still to be delivered.
      name: 'untold',
      count: part(0.03),
      definition: sagaOf('untold', (saga) => saga.linear(['a'], { onSuccessCallback: saga.call('won') })),
      leave: (id) => stage.until(id, ({ hook }) => hook?.state === 'PENDING'),
      finish: async (id) => {
        // It may be called at this very moment.
        const status = await stage.control(id, 'hook/redeliver');
        if (status !== 202) await expectStatus(Promise.resolve(status), 409);
        await stage.until(id, ({ hook }) => hook.state === 'DELIVERED');
      },
      end: 'SUCCEEDED',
    },
    {
      name: 'future',
      count: part(0.04),
      definition: sagaOf('future', (saga) => saga.linear(['a', 'b'])),
      startAt: () => new Date(Date.now() + hour).toISOString(),
      leave: until('SLEEPING'),
      finish: wake,
      end: 'SUCCEEDED',
    },
    {
      name: 'soon',
      count: part(0.03),
      definition: sagaOf('soon', (saga) => saga.linear(['a'])),
      startAt: () => new Date(Date.now() + shortMillis).toISOString(),
      leave: until('SLEEPING'),
      end: 'SUCCEEDED',
    },
    {
      name: 'inflight',
      count: part(0.02),
      definition: sagaOf('inflight', (saga) => saga.graph([saga.task('slow')])),
      leave: until('IN_PROGRESS'),
      end: 'SUCCEEDED',
    },
    {
      name: 'terminated',
      count: part(0.01),
      definition: sagaOf('terminated', (saga) =>
        saga.graph([saga.task('a', { next: 'nap' }), nap(hour), saga.task('b')]),
      ),
      leave: async (id) => {
        await stage.untilStatus(id, 'SLEEPING');
        await expectStatus(stage.control(id, 'terminate'), 202);
        await stage.untilEnd(id);
      },
      end: 'TERMINATED',
    },
    {
      name: 'cancelled',
      count: part(0.01),
      definition: sagaOf('cancelled', (saga) =>
        saga.graph([saga.task('a', { next: 'nap' }), nap(hour), saga.task('b')]),
      ),
      leave: async (id) => {
        await stage.untilStatus(id, 'SLEEPING');
        await expectStatus(stage.control(id, 'cancel'), 202);
        await stage.untilEnd(id);
      },
      end: 'CANCELLED',
    },
    {
      name: 'failed',
      count: part(0.02),
      definition: sagaOf('failed', (saga) => saga.linear(['a', 'b'])),
      leave: (id) => stage.untilEnd(id),
      end: 'FAILED',
    },
    {
      name: 'done',
      count: part(0.02),
      definition: sagaOf('done', (saga) => saga.linear(['a', 'b', 'c'])),
      leave: (id) => stage.untilEnd(id),
      end: 'SUCCEEDED',
    },
  ];
}
