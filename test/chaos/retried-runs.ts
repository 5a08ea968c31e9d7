import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { AnswerBody } from '../api-fixture.ts';
import { onWireMillis, type ReceivedCall, receivedCall, staleCalls } from '../e2e/durability/stale-calls.ts';
import { once, retries, SagaBuilder } from '../e2e/stage/definitions.ts';
import { type Answer, type Received, ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { type OnFinished, until } from './cluster-stage.ts';
import { FaultLog } from './fault-log.ts';
import type { Pod, PodAnswer } from './pod.ts';

/** Longest time that the downstream takes over the first call of a second round. */
const slowestCallMillis = 600;
/** Over any other call. */
const quickCallMillis = 20;
/** Requests of the test to one pod at once. */
const atOnce = 20;

/** Settings that the pods need for the calls with a token; the client's name tells which pod fetches one. */
export function secretsOf(podId: string): Readonly<Record<string, string>> {
  return { TRAMA_SECRET_CLIENT: podId, TRAMA_SECRET_WORD: 'open' };
}

/** Each call says which pod sent it in which round. */
class RetriedSaga extends SagaBuilder {
  override call(path: string, changes: object = {}): object {
    const headers = { 'x-pod': '{{vars.POD}}', 'x-round': '{{round}}' };
    return super.call(path, { headers, ...changes });
  }

  /** A task whose compensation sends what another node has answered. */
  telling(id: string, of: string, next: string, request: object = {}): object {
    const compensation = this.call(`undo-${id}`, { body: { of: `{{nodes.${of}.response.body.id}}` } });
    return this.task(id, { next, compensation, failureHandling: retries(3) }, request);
  }

  /** A whole definition that ends with a refused step. */
  refused(...nodes: readonly object[]): object {
    return this.graph([...nodes, this.task('refused', { failureHandling: once })], {
      compensationHandling: retries(5),
      onFailureCallback: this.call('told'),
    });
  }
}

const kinds: readonly ((base: string, number: string) => object)[] = [
  (base) => {
    const saga = new RetriedSaga(base, 'straight');
    return saga.refused(saga.telling('a', 'a', 'b'), saga.telling('b', 'a', 'refused'));
  },
  (base) => {
    const saga = new RetriedSaga(base, 'forked');
    return saga.refused(
      saga.telling('a', 'a', 'fork'),
      { kind: 'split', id: 'fork', branches: ['x', 'y'], join: 'merge' },
      saga.telling('x', 'a', 'x2'),
      saga.task('x2', { failureHandling: retries(3) }),
      saga.telling('y', 'y', 'y2'),
      saga.task('y2', { failureHandling: retries(3) }),
      { kind: 'join', id: 'merge', next: 'refused' },
    );
  },
  (base, number) => {
    const saga = new RetriedSaga(base, 'with-token');
    const auth = {
      type: 'oauth2ClientCredentials',
      tokenUrl: `${base}/token`,
      clientIdSecret: 'CLIENT',
      clientSecretSecret: 'WORD',
      // A token of its own for each run, so that its fetch is known for what it is.
      scope: number,
    };
    return saga.refused(saga.telling('a', 'a', 'b', { auth }), saga.telling('b', 'a', 'refused', { auth }));
  },
];

/** A token that was fetched. */
interface Fetched {
  readonly scope: string;
  readonly podId: string;
  readonly at: number;
}

/** One run, its rounds and when each was over (of `performance.now()`). */
interface Run {
  readonly id: string;
  readonly scope: string;
  readonly ends: Map<number, number>;
}

/**
 * Runs that all fail at their last step and are retried once: in the second round each forward call looks for standing effects
 * before it leaves, compensations read outputs, and some calls need a token. The downstream's record of both rounds is judged.
 */
export class RetriedRuns {
  readonly #faults: FaultLog;
  readonly #name = `runs-${String(performance.now())}`;
  readonly #runs: Run[] = [];
  readonly #calls = new Map<string, ReceivedCall[]>();
  readonly #tokens: Fetched[] = [];
  readonly #downstream = new ScriptedDownstream((request) => this.#answer(request));
  /** Settles when the first call of a second round is to be answered to this pod. */
  first: (podId: string) => Promise<unknown> = () => pause(Math.random() * slowestCallMillis);
  readonly #answered = new Map<string, number>();

  /** `slowest`: how long the downstream takes over a call at most, in ms. */
  constructor(slowest = slowestCallMillis) {
    this.#faults = new FaultLog(slowest);
  }

  /** Opens the downstream, which is closed with the test; one that runs beside others passes its own `onTestFinished`. */
  async open(finished: OnFinished = onTestFinished): Promise<void> {
    await this.#downstream.open();
    finished(() => this.#downstream.close());
  }

  /** See {@link FaultLog.fault}. */
  fault(pod: Pod, during: () => Promise<unknown>): Promise<void> {
    return this.#faults.fault(pod, during);
  }

  /** Submits so many runs, of all kinds, through these pods in turn, and waits until all have failed; their ids. */
  async fail(count: number, pods: readonly Pod[]): Promise<readonly string[]> {
    const numbers = Array.from({ length: count }, (_, at) => this.#runs.length + at);
    const ids: string[] = [];
    await inParts(numbers, async (number) => {
      const scope = `${this.#name}-${String(number)}`;
      const definition = kinds[number % kinds.length]?.(this.#downstream.url, scope);
      const pod = pods[number % pods.length]!;
      const key = { 'idempotency-key': scope };
      const { body } = await served(() => pod.ask('POST', '/workflows/run?waitMillis=7000', { definition }, key));
      ids.push(body.id);
      this.#runs.push({ id: body.id, scope, ends: new Map() });
    });
    await this.over(1, ids, pods[0]!);
    return ids;
  }

  /** Retries these runs through these pods in turn. */
  async retry(ids: readonly string[], pods: readonly Pod[]): Promise<void> {
    await inParts(ids, async (id, at) => {
      await served(() => pods[at % pods.length]!.ask('POST', `/workflows/${id}/retry`));
    });
  }

  /** Resolves once that round of these runs is over, as this pod sees it. */
  async over(round: number, ids: readonly string[], pod: Pod): Promise<void> {
    await inParts(ids, async (id) => {
      let document: AnswerBody;
      await until(async () => {
        document = (await pod.ask('GET', `/workflows/${id}`)).body;
        return document.completedAt !== undefined && document.round === round;
      });
      const run = this.#runs.find((each) => each.id === id)!;
      run.ends.set(round, Date.parse(document.completedAt as string) - performance.timeOrigin);
    });
  }

  /** Resolves once so many first calls of second rounds have been answered to a pod from now on. */
  async begun(count: number, { podId }: Pod): Promise<void> {
    const answered = (): number => this.#answered.get(podId) ?? 0;
    const enough = answered() + count;
    await until(() => answered() >= enough);
  }

  /** What is wrong with all runs so far, as sentences. */
  async problems(pod: Pod): Promise<readonly string[]> {
    const problems: string[] = [];
    await inParts(this.#runs, async (run) => {
      const { body } = await pod.ask('GET', `/workflows/${run.id}`);
      problems.push(...this.#problemsOf(run, body).map((problem) => `${body.name as string} ${run.id}: ${problem}`));
    });
    return problems;
  }

  #problemsOf(run: Run, document: AnswerBody): readonly string[] {
    const calls = this.#calls.get(run.id) ?? [];
    const problems = staleCalls(calls, run.ends, (call) => this.#faults.allowedMillis(call));
    if (document.status !== 'FAILED') problems.push(`Ended as ${document.status}: ${document.failureDescription}`);
    if (document.standing.length > 0) problems.push('Something stands.');
    if (!calls.some(({ node, round }) => node === 'told' && round === 2)) problems.push('No hook told of round 2.');
    // By the record of the downstream, whatever the engine says of it.
    const forward = calls.filter(({ compensates, node }) => compensates === undefined && !/refused|told/.test(node));
    for (const key of new Set(forward.map((call) => call.key))) {
      const last = calls.findLast((call) => call.key === key || call.compensates === key);
      if (last?.compensates === undefined) problems.push(`The effect of ${key} stands.`);
    }
    const last = new Map<string, ReceivedCall>();
    for (const call of calls) {
      const before = last.get(call.key);
      last.set(call.key, call);
      if (before !== undefined && !this.#faults.mayRepeat(before))
        problems.push(`${call.key} of ${String(before.life)} came again from ${String(call.life)} without a fault.`);
    }
    const end = run.ends.get(2) ?? Infinity;
    for (const { scope, at, podId } of this.#tokens) {
      if (scope === run.scope && at > end + onWireMillis.inFault)
        problems.push(`STALE: ${podId} fetched a token ${String(Math.round(at - end))} ms after the end.`);
    }
    return problems;
  }

  #answer(request: Received): Answer {
    if (request.path === '/token') return this.#token(request);
    const call = receivedCall(request, String(request.headers['x-pod']));
    const id = String(request.headers['trama-execution-id']);
    const calls = this.#calls.get(id) ?? [];
    this.#calls.set(id, calls);
    calls.push(call);
    const isFirst = call.round === 2 && call.node === 'a' && call.attempt === 1;
    const after = isFirst ? this.first(String(call.life)) : pause(Math.random() * quickCallMillis);
    if (isFirst)
      void after.then(() => this.#answered.set(String(call.life), (this.#answered.get(String(call.life)) ?? 0) + 1));
    return { status: call.node === 'refused' ? 400 : 200, body: { id: call.key }, after };
  }

  #token({ body, headers }: Received): Answer {
    const basic = Buffer.from(String(headers.authorization).replace(/^Basic /, ''), 'base64').toString();
    const scope = String(new URLSearchParams(body).get('scope'));
    this.#tokens.push({ scope, podId: basic.split(':')[0] ?? '', at: performance.now() });
    return { body: { access_token: `token-${String(this.#tokens.length)}`, token_type: 'Bearer', expires_in: 1 } };
  }
}

/** Asks until the pod and its store answer; throws what no repetition would change. */
async function served(ask: () => Promise<PodAnswer>): Promise<PodAnswer> {
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined && answer.status < 300) return answer;
    if (answer !== undefined && answer.status !== 503) throw new Error(`${String(answer.status)} ${answer.text}`);
    await pause(100);
  }
}

/** Does it for each, so many at once. */
async function inParts<T>(all: readonly T[], act: (each: T, at: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += atOnce) {
    await Promise.all(all.slice(from, from + atOnce).map((each, at) => act(each, from + at)));
  }
}
