/**
 * A data directory full of executions in every state that one can be left in, and what must become of each once everything
 * was moved: the server goes on as if it had only been restarted.
 */
import type { AnswerBody } from '../../api-fixture.ts';
import { retries } from '../../e2e/stage/definitions.ts';
import { ScriptedDownstream } from '../../e2e/stage/downstream.ts';
import { Stage } from '../../e2e/stage/stage.ts';

/** Executions that wait for their time: longer than filling the directory takes, short enough to wait for. */
const shortMillis = 12_000;
const hour = 3_600_000;

/** Requests that are under way at the same time. */
const atOnce = 40;

/** A kind of executions. */
interface Group {
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

/** Runs `work` for each item, a few at a time. */
export async function forEach<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Does it, and expects this HTTP status. */
async function expectStatus(answer: Promise<number>, status: number): Promise<void> {
  const got = await answer;
  if (got !== status) throw new Error(`answered ${got}, not ${status}`);
}

const storedId = (n: number): string => `0190a000-0000-7000-8000-00000000000${n}`;

/** See the file header. */
export class Estate {
  readonly stage: Stage;
  /** The server's environment; changes count from its next start. */
  readonly env: Record<string, string> = {};
  /** Ids by group. */
  readonly ids = new Map<string, string[]>();
  readonly #broken = new Set<string>();
  readonly #gate = Promise.withResolvers<void>();
  readonly #groups: readonly Group[];
  /** Callbacks that were answered before the move, and one that was judged pending. */
  readonly #answered = new Map<string, string>();

  constructor(scale: number) {
    const downstream = new ScriptedDownstream(({ path }) => {
      if (path === '/inflight/slow') return { after: this.#gate.promise };
      return this.#broken.has(path) ? { status: 500, body: { amount: 10 } } : { body: '{"amount":10.10}' };
    });
    this.stage = new Stage(this.env, downstream);
    this.#groups = this.#plan(scale);
  }

  get names(): readonly string[] {
    return this.#groups.map(({ name }) => name);
  }

  get all(): readonly string[] {
    return [...this.ids.values()].flat();
  }

  /** The downstream's address is known only once it listens. */
  #saga(name: string, build: (saga: ReturnType<Stage['saga']>) => object): () => object {
    return () => build(this.stage.saga(name));
  }

  #plan(scale: number): readonly Group[] {
    const { stage } = this;
    const part = (share: number): number => Math.max(2, Math.round(share * scale));
    const patient = { timeoutMillis: hour };
    const until = (status: string) => (id: string) => stage.untilStatus(id, status);
    const wake = (id: string): Promise<void> => expectStatus(stage.control(id, 'wake'), 202);
    const nap = (durationMillis: number): object => ({ kind: 'sleep', id: 'nap', durationMillis, next: 'b' });
    const later = retries(5, { delayMillis: shortMillis });
    const undone = { kind: 'fail', id: 'no', reason: 'as planned' };
    for (const path of ['/compensating/undo-a', '/corrupted/undo-a', '/backing/a', '/again/a', '/failed/b']) {
      this.#broken.add(path);
    }
    return [
      {
        name: 'sleeping',
        count: part(0.15),
        definition: this.#saga('sleeping', (saga) =>
          saga.graph([saga.task('a', { next: 'nap' }), nap(hour), saga.task('b')]),
        ),
        leave: until('SLEEPING'),
        finish: wake,
        end: 'SUCCEEDED',
      },
      {
        name: 'napping',
        count: part(0.07),
        definition: this.#saga('napping', (saga) => saga.graph([nap(shortMillis), saga.task('b')])),
        leave: until('SLEEPING'),
        end: 'SUCCEEDED',
      },
      {
        name: 'waiting',
        count: part(0.15),
        definition: this.#saga('waiting', (saga) =>
          saga.graph([saga.task('a', { next: 'ask' }), saga.asyncTask('ask', { next: 'b' }, patient), saga.task('b')]),
        ),
        leave: until('WAITING_CALLBACK'),
        finish: (id) => this.#callBack(id, 'waiting', 'ask', { n: 1 }, 202),
        end: 'SUCCEEDED',
      },
      {
        name: 'answered',
        count: part(0.1),
        definition: this.#saga('answered', (saga) =>
          saga.graph([saga.asyncTask('ask', { next: 'more' }, patient), saga.asyncTask('more', {}, patient)]),
        ),
        leave: async (id) => {
          await stage.untilStatus(id, 'WAITING_CALLBACK');
          await this.#callBack(id, 'answered', 'ask', { first: 1 }, 202);
          this.#answered.set(id, 'ask');
          await this.stage.until(
            id,
            ({ currentNodes }) => currentNodes[0]?.nodeId === 'more' && currentNodes[0].state === 'WAITING_CALLBACK',
          );
        },
        finish: (id) => this.#callBack(id, 'answered', 'more', { n: 2 }, 202),
        end: 'SUCCEEDED',
      },
      {
        name: 'pending',
        count: part(0.05),
        definition: this.#saga('pending', (saga) =>
          saga.graph([saga.asyncTask('ask', {}, { ...patient, pendingWhen: { var: 'callback.body.busy' } })]),
        ),
        leave: async (id) => {
          await stage.untilStatus(id, 'WAITING_CALLBACK');
          await this.#callBack(id, 'pending', 'ask', { busy: true }, 202);
        },
        finish: async (id) => {
          await this.#callBack(id, 'pending', 'ask', { busy: true }, 202);
          await this.#callBack(id, 'pending', 'ask', { done: 1 }, 202);
        },
        end: 'SUCCEEDED',
      },
      {
        name: 'just-answered',
        count: part(0.03),
        definition: this.#saga('just-answered', (saga) => saga.graph([saga.asyncTask('ask', {}, patient)])),
        leave: until('WAITING_CALLBACK'),
        end: 'SUCCEEDED',
      },
      {
        name: 'backing',
        count: part(0.1),
        definition: this.#saga('backing', (saga) => saga.graph([saga.task('a', { failureHandling: later })])),
        leave: (id) => stage.until(id, ({ currentNodes }) => currentNodes[0]?.state === 'BACKOFF'),
        end: 'SUCCEEDED',
      },
      {
        name: 'compensating',
        count: part(0.07),
        definition: this.#saga('compensating', (saga) =>
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
        definition: this.#saga('corrupted', (saga) => saga.graph([saga.task('a', { next: 'no' }), undone])),
        leave: until('CORRUPTED'),
        finish: (id) => expectStatus(stage.control(id, 'retry'), 202),
        end: 'FAILED',
      },
      {
        name: 'again',
        count: part(0.03),
        definition: this.#saga('again', (saga) =>
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
        definition: this.#saga('split', (saga) =>
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
          await this.#callBack(id, 'split', 'x', { n: 1 }, 202);
          await wake(id);
        },
        end: 'SUCCEEDED',
      },
      {
        name: 'future',
        count: part(0.04),
        definition: this.#saga('future', (saga) => saga.linear(['a', 'b'])),
        startAt: () => new Date(Date.now() + hour).toISOString(),
        leave: until('SLEEPING'),
        finish: wake,
        end: 'SUCCEEDED',
      },
      {
        name: 'soon',
        count: part(0.03),
        definition: this.#saga('soon', (saga) => saga.linear(['a'])),
        startAt: () => new Date(Date.now() + shortMillis).toISOString(),
        leave: until('SLEEPING'),
        end: 'SUCCEEDED',
      },
      {
        name: 'inflight',
        count: part(0.02),
        definition: this.#saga('inflight', (saga) => saga.graph([saga.task('slow')])),
        leave: until('IN_PROGRESS'),
        end: 'SUCCEEDED',
      },
      {
        name: 'terminated',
        count: part(0.01),
        definition: this.#saga('terminated', (saga) =>
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
        definition: this.#saga('cancelled', (saga) =>
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
        definition: this.#saga('failed', (saga) => saga.linear(['a', 'b'])),
        leave: (id) => stage.untilEnd(id),
        end: 'FAILED',
      },
      {
        name: 'done',
        count: part(0.02),
        definition: this.#saga('done', (saga) => saga.linear(['a', 'b', 'c'])),
        leave: (id) => stage.untilEnd(id),
        end: 'SUCCEEDED',
      },
    ];
  }

  /** Where an execution's node was told to call back. */
  async #address(id: string, group: string, node: string): Promise<string> {
    const asked = this.stage.downstream.calls(`/${group}/${node}`);
    const request = asked.find(({ headers }) => headers['trama-execution-id'] === id);
    if (request === undefined) throw new Error(`${id} has not called ${node}.`);
    return Promise.resolve((JSON.parse(request.body) as { to: string }).to);
  }

  async #callBack(id: string, group: string, node: string, body: object, status: number): Promise<void> {
    await expectStatus(this.stage.callBack(await this.#address(id, group, node), body), status);
  }

  /** Starts everything and waits until each is where it is left. Then the server is killed with calls in flight. */
  async fill(): Promise<void> {
    const { stage } = this;
    await stage.open();
    for (const [n, version] of ['1', '2', '10'].entries()) {
      const body = { ...stage.saga('stored').linear(['a', `b${n}`]), version, description: 'amounts like 10.10' };
      const { status, text } = await stage.ask('PUT', `/workflows/definitions/${storedId(n)}`, body);
      if (status !== 200) throw new Error(`${status} ${text}`);
    }
    const jobs = this.#groups.flatMap((group) => Array.from({ length: group.count }, (_, n) => ({ group, n })));
    await forEach(jobs, async ({ group, n }) => {
      const id = await this.start(group, n);
      const ids = this.ids.get(group.name) ?? [];
      ids.push(id);
      this.ids.set(group.name, ids);
      await group.leave(id);
    });
    await stage.downstream.arrival('/inflight/slow', this.#group('inflight').count);
  }

  /** Callbacks accepted in the last moment: whether the server has used them, nobody knows. */
  async killAfterCallbacks(): Promise<void> {
    await forEach(this.ids.get('just-answered') ?? [], (id) =>
      this.#callBack(id, 'just-answered', 'ask', { n: 1 }, 202),
    );
    await this.stage.kill();
  }

  #group(name: string): Group {
    const group = this.#groups.find((one) => one.name === name);
    if (group === undefined) throw new Error(`There is no group ${name}.`);
    return group;
  }

  /** Starts one under a key of its own, or finds it again by that key. */
  async start(group: Group | string, n: number): Promise<string> {
    const { name, definition, startAt } = typeof group === 'string' ? this.#group(group) : group;
    const request = { definition: definition(), payload: { n, big: n }, labels: { group: name, n: String(n) } };
    const at = startAt === undefined ? {} : { startAt: this.#startAt(`${name} ${n}`, startAt) };
    const text = JSON.stringify({ ...request, ...at }).replace('"big":', '"big":9007199254740993');
    const {
      status,
      body,
      text: said,
    } = await this.stage.ask('POST', '/workflows/run', text, {
      'idempotency-key': `${name}-${n}`,
    });
    if (status !== 200) throw new Error(`${status} ${said}`);
    return body.id as string;
  }

  readonly #startAts = new Map<string, string>();

  /** The same request again has the same time. */
  #startAt(key: string, make: () => string): string {
    const at = this.#startAts.get(key) ?? make();
    this.#startAts.set(key, at);
    return at;
  }

  /** Everything that the API shows of executions that nothing but the clock moves, and of definitions. */
  async document(ids: readonly string[]): Promise<ReadonlyMap<string, AnswerBody>> {
    const documents = new Map<string, AnswerBody>();
    await forEach(ids, async (id) => {
      // Texts: numbers keep their digits.
      const parts = ['', '/steps?limit=1000', '/steps/calls?limit=1000'];
      const answers = await Promise.all(parts.map((part) => this.stage.ask('GET', `/workflows/${id}${part}`)));
      documents.set(
        id,
        answers.map(({ status, text }) => `${status} ${text}`),
      );
    });
    const lists = [
      '/workflows/definitions?limit=200',
      '/workflows/definitions/stored/latest',
      `/workflows/definitions/${storedId(1)}`,
      '/workflows?limit=200&standing=true',
      '/workflows?limit=200&status=CORRUPTED',
      '/workflows?limit=200&label=group:waiting&order=asc',
      '/workflows?limit=200&name=failed&order=asc',
    ];
    for (const list of lists) documents.set(list, (await this.stage.ask('GET', list)).text);
    return documents;
  }

  /** Answers given before count: the same body again, and another one. */
  async repeatCallbacks(): Promise<void> {
    await forEach([...this.#answered], async ([id, node]) => {
      await this.#callBack(id, 'answered', node, { first: 1 }, 200);
      await this.#callBack(id, 'answered', node, { first: 2 }, 409);
    });
  }

  /** Does what each waits for. */
  async finish(): Promise<void> {
    this.#broken.clear();
    this.#gate.resolve();
    await forEach(this.#groups, async ({ name, finish }) => {
      if (finish !== undefined) for (const id of this.ids.get(name) ?? []) await finish(id);
    });
  }

  /** The final documents, with what each must end as. */
  async ends(): Promise<readonly { readonly group: string; readonly wanted: string; readonly document: AnswerBody }[]> {
    const jobs = this.#groups.flatMap((group) => (this.ids.get(group.name) ?? []).map((id) => ({ group, id })));
    const found: { group: string; wanted: string; document: AnswerBody }[] = [];
    await forEach(jobs, async ({ group, id }) => {
      const document = await this.stage.untilStatus(id, group.end);
      found.push({ group: group.name, wanted: group.end, document });
    });
    return found;
  }

  async close(): Promise<void> {
    this.#gate.resolve();
    await this.stage.close();
  }
}
