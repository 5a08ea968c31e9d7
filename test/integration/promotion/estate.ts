import type { AnswerBody } from '../../api-fixture.ts';
import { ScriptedDownstream } from '../../e2e/stage/downstream.ts';
import { Stage } from '../../e2e/stage/stage.ts';
import { brokenAtFirst, expectStatus, planGroups, type Group } from './groups.ts';

/** Requests that are under way at the same time. */
const atOnce = 40;

/** Runs `work` for each item, a few at a time. */
export async function forEach<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

const storedId = (n: number): string => `0190a000-0000-7000-8000-00000000000${n}`;

/**
 * A data directory full of executions in every state that one can be left in, and what must become of each once everything
 * was moved: the server goes on as if it had only been restarted.
 */
export class Estate {
  readonly stage: Stage;
  /** The server's environment; changes count from its next start. */
  readonly env: Record<string, string> = {
    // One downstream plays all of them: that some always fail must not keep the others from being called.
    CIRCUITBREAKER_ENABLED: 'false',
  };
  /** Ids by group. */
  readonly ids = new Map<string, string[]>();
  readonly #broken = new Set(brokenAtFirst);
  readonly #gate = Promise.withResolvers<void>();
  readonly #groups: readonly Group[];
  /** Nodes whose callbacks were used before the move, by execution. */
  readonly #answered = new Map<string, string>();

  constructor(scale: number) {
    const downstream = new ScriptedDownstream(({ path }) => {
      if (path === '/inflight/slow') return { after: this.#gate.promise };
      return this.#broken.has(path) ? { status: 500, body: { amount: 10 } } : { body: '{"amount":10.10}' };
    });
    this.stage = new Stage(this.env, downstream);
    this.#groups = planGroups({
      stage: this.stage,
      scale,
      callBack: (id, group, node, body) => this.#callBack(id, group, node, body, 202),
      answered: (id, node) => this.#answered.set(id, node),
    });
  }

  get names(): readonly string[] {
    return this.#groups.map(({ name }) => name);
  }

  get all(): readonly string[] {
    return [...this.ids.values()].flat();
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

  /** Callbacks accepted in the last moment: it is unknown whether the server has used them. */
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
  async document(ids: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const documents = new Map<string, readonly string[]>();
    await forEach(ids, async (id) => {
      // Texts: numbers keep their digits.
      const parts = ['', '/steps?limit=1000', '/steps/calls?limit=1000'];
      const answers = await Promise.all(parts.map((part) => this.stage.ask('GET', `/workflows/${id}${part}`)));
      documents.set(
        id,
        answers.map(({ text }) => text),
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
    for (const list of lists) documents.set(list, [(await this.stage.ask('GET', list)).text]);
    return documents;
  }

  /** When the execution of such a document moves by itself: long ago when it is calling, never when it waits for others. */
  static nextMove(document: readonly string[] | undefined): number {
    const { currentNodes, hook } = JSON.parse(document?.[0] ?? '{}') as {
      currentNodes: readonly { readonly state: string; readonly until?: string }[];
      hook?: { readonly state: string; readonly nextAt?: string };
    };
    if (hook?.state === 'PENDING') return hook.nextAt === undefined ? 0 : Date.parse(hook.nextAt);
    const moves = currentNodes.map(({ state, until }) => {
      if (until !== undefined) return Date.parse(until);
      return state === 'JOINING' || state === 'SCHEDULED' ? Infinity : 0;
    });
    return Math.min(...moves);
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
