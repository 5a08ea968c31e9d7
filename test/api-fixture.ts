/**
 * The API over the memory store, with a driver in place of the engine: executions move only when a test says so, and every
 * call is answered by the test.
 */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { createServer, type ServerOptions } from '../src/api/server.ts';
import { apply } from '../src/core/apply.ts';
import { definitionJsonSchema } from '../src/core/definition/shape/json-schema.ts';
import { dueAt } from '../src/core/due.ts';
import type { CallCommand, CallResult, Event } from '../src/core/event.ts';
import type { Exchange } from '../src/core/history.ts';
import type { Json } from '../src/core/value/json.ts';
import { slotOf } from '../src/core/value/slot.ts';
import { begin } from '../src/core/start.ts';
import type { State } from '../src/core/state.ts';
import { summarize } from '../src/core/summary.ts';
import { StoreUnavailable, type SubmitResult } from '../src/ports/store.ts';
import type { FamilyPlace } from '../src/core/context/family.ts';
import type { ExecutionDetail } from '../src/ports/records.ts';
import { silentTelemetry } from '../src/ports/telemetry.ts';
import type { ClusterSource } from '../src/app/queries/cluster-source.ts';
import { KnownDefinitions } from '../src/app/known-definitions.ts';
import type { CallbackRejection, AppContext } from '../src/app/context.ts';
import { decidingEnv, runOf } from '../src/app/queries/run-view.ts';
import { PlanCache } from '../src/engine/worker/plan-cache.ts';
import { defaultEngineSettings } from '../src/engine/settings.ts';
import { WatchHub } from '../src/engine/watch-hub.ts';
import type { Submission } from '../src/engine/write/submission.ts';
import { CallbackTokens } from '../src/security/callback-token.ts';
import { Masker } from '../src/security/secrets/masking.ts';
import { MemoryStore } from '../simulator/store/memory-store.ts';

/** The secret whose value must never come out. */
export const secretValue = 'correct-horse-battery';

/** An answer's body, read without a schema. */
export type AnswerBody = ReturnType<typeof JSON.parse>;

/** Answers a call of the driver. */
export type Downstream = (command: CallCommand) => CallResult;

/** A JSON answer. */
export function response(status: number, body: Json = {}): CallResult {
  return { kind: 'response', response: { status, headers: {}, body } };
}

/** Everything that a test of the API needs. */
export class ApiFixture {
  readonly store = new MemoryStore();
  readonly tokens = new CallbackTokens([{ kid: 'default', secret: 'a secret for tests' }]);
  readonly rings: string[] = [];
  readonly rejected: CallbackRejection[] = [];
  readonly logged: string[] = [];
  /** How often the process was told that holds have changed. */
  holdChanges = 0;
  /** What `/cluster` asks. */
  cluster: ClusterSource = {
    pods: () => [],
    shards: 1,
    queueSize: () => Promise.resolve({ ready: 0, inFlight: 0 }),
    oldestDueAt: () => undefined,
    circuits: () => [],
  };
  readonly app: AppContext;
  readonly server: FastifyInstance;
  now: number = Date.UTC(2030, 0, 1);
  /** Another process drives, so that this one hears nothing. */
  isElsewhere = false;
  /** What the next submissions throw. */
  submitFault: Error | undefined;
  /** Told after the insert of each execution. */
  onSubmitted: ((id: string) => Promise<void>) | undefined;
  /** The place in a family of the next executions. */
  family: FamilyPlace = {};
  mintId: () => string = randomUUID;
  readonly #hub = new WatchHub(1000);
  #nonces = 0;

  constructor(options: Partial<Omit<ServerOptions, 'app' | 'auditLog'>> = {}) {
    const plans = new PlanCache({ store: this.store, telemetry: silentTelemetry, size: 100 });
    this.app = {
      store: this.store,
      clock: {
        now: () => this.now,
        monotonic: () => performance.now(),
        after: (millis, fire) => {
          const timer = setTimeout(fire, millis);
          return { cancel: () => clearTimeout(timer) };
        },
      },
      entropy: { uuid: () => randomUUID(), nonce: () => `nonce-${String(++this.#nonces)}`, random: () => 0.5 },
      plans,
      known: new KnownDefinitions(100),
      engine: {
        mintId: () => this.mintId(),
        submit: (submission) => this.#submit(submission),
        ring: ({ id }) => void this.rings.push(id),
        watch: (id, changed) => this.#hub.watch(id, changed),
      },
      tokens: this.tokens,
      masker: new Masker({ values: () => secretValues }),
      limits: defaultEngineSettings.limits,
      callTimes: { usual: defaultEngineSettings.requestTimeoutMillis, max: defaultEngineSettings.maxTimeoutMillis },
      maxHistoryBody: defaultEngineSettings.maxHistoryBody,
      maxOutputBytes: defaultEngineSettings.maxOutputBytes,
      variable: () => undefined,
      callbacks: { received: () => undefined, rejected: (reason) => void this.rejected.push(reason) },
      cluster: {
        pods: () => this.cluster.pods(),
        shards: 64,
        queueSize: () => this.cluster.queueSize(),
        oldestDueAt: () => undefined,
        circuits: () => this.cluster.circuits(),
        database: () =>
          this.cluster.database?.() ?? Promise.resolve({ driver: 'sqlite', ok: true, latencyMs: 1, readOnly: false }),
        redis: () => this.cluster.redis?.() ?? { membershipAgeMillis: 0 },
      },
      holdsChanged: () => void this.holdChanges++,
    };
    this.server = createServer({
      app: this.app,
      auditLog: this.store,
      health: { live: () => [], ready: () => [] },
      log: { logs: () => true, log: (level, message) => void this.logged.push(`${level} ${message}`) },
      version: '1.2.3',
      definitionSchema: definitionJsonSchema(),
      guard: {
        allowedHosts: ['localhost', '127.0.0.1', '[::1]'],
        refusesProxies: true,
        hostsShown: 'the hosts of server.allowedHosts',
      },
      ...options,
    });
  }

  /** Opens the store; to be awaited before the first request. */
  async open(): Promise<this> {
    await this.store.open();
    await this.server.ready();
    return this;
  }

  /** Closes everything; fails when a watcher remains. */
  async close(): Promise<void> {
    await this.server.close();
    await this.store.close();
    if (this.#hub.size > 0) throw new Error(`${String(this.#hub.size)} watchers were left behind.`);
  }

  /** Starts an execution over the API. */
  async run(definition: object, fields: object = {}): Promise<string> {
    const answer = await this.server.inject({
      method: 'POST',
      url: '/workflows/run',
      payload: { definition, ...fields },
    });
    if (answer.statusCode !== 200) throw new Error(answer.body);
    return answer.json<{ id: string }>().id;
  }

  /** Drives an execution until it parks or ends; events come before its calls. */
  async drive(id: string, downstream: Downstream = () => response(200), events: readonly Event[] = []): Promise<void> {
    const claim = `claim-${String(++this.#nonces)}`;
    const loaded = (await this.store.takeOver([{ id, claim }], this.now))[0];
    if (loaded === undefined) return;
    let { seq, inboxSeq } = loaded;
    const detail = (await this.store.getExecution(id)) as ExecutionDetail;
    let run = await runOf(this.app, detail, ({ outputs }) => outputs.leftOut);
    const queue: Event[] = [
      { type: 'resumed' },
      ...loaded.inbox.map(({ event }) => event),
      ...events,
      { type: 'timer' },
    ];
    for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
      const { state, outputs, commands, steps, calls, undo, consumed } = apply(run, event, {
        ...decidingEnv(this.app),
        now: this.now,
        advance: true,
      });
      const due = dueAt(state);
      const [written] = await this.store.checkpoint([
        {
          id,
          claim,
          seq,
          inboxSeq,
          state,
          summary: summarize(state),
          dueAt: due,
          progress: true,
          steps,
          calls,
          undo,
          consumed,
        },
      ]);
      if (written?.kind !== 'written') throw new Error(`checkpoint: ${written?.kind ?? 'none'}`);
      seq++;
      ({ inboxSeq } = written);
      run = { plan: run.plan, header: run.header, state, outputs };
      if (!this.isElsewhere) this.#hub.changed(id, state);
      for (const command of commands) {
        if (command.type === 'findUndo') {
          const target = await this.store.findUndo(id, command.round, command);
          queue.push({ type: 'undoFound', tokenId: command.tokenId, ...(target !== undefined && { target }) });
        } else if (command.type === 'call') {
          queue.push({
            type: 'answered',
            callId: command.callId,
            result: downstream(command),
            exchange: exchangeOf(command),
          });
        }
      }
      if (commands.length === 0 && queue.length === 0 && due !== null && due <= this.now) queue.push({ type: 'timer' });
    }
  }

  /** The state as stored. */
  async stateOf(id: string): Promise<State> {
    return ((await this.store.getExecution(id)) as ExecutionDetail).state;
  }

  /** The callback token of the node that waits. */
  async tokenFor(id: string, nodeId: string): Promise<string> {
    for (const token of (await this.stateOf(id)).tokens) {
      if (token.nodeId !== nodeId || !('task' in token.stage)) continue;
      const { visit, operation, nonce = '' } = token.stage.task;
      return this.tokens.issue({ executionId: id, round: 1, nodeId, visit, operation, nonce });
    }
    throw new Error(`${nodeId} does not wait.`);
  }

  /** Lets the store fail from now on. */
  breakStore(): void {
    const away = (): Promise<never> =>
      Promise.reject(new StoreUnavailable('unreachable', 'password=hunter2 at 10.0.0.1'));
    Object.assign(this.store, { getExecution: away, listExecutions: away, getDefinition: away, offer: away });
  }

  async #submit(submission: Submission): Promise<SubmitResult> {
    if (this.submitFault !== undefined) throw this.submitFault;
    const { plan, header, startAt } = submission;
    const { state, steps } = begin(plan, header, decidingEnv(this.app), startAt, submission.scope);
    const [result] = await this.store.submit([
      {
        ...submission,
        ...this.family,
        id: header.id,
        slot: slotOf(header.id),
        name: header.name,
        version: header.version,
        labels: header.labels,
        definitionHash: plan.hash,
        state,
        summary: summarize(state),
        steps,
        dueAt: dueAt(state) ?? this.now,
      },
    ]);
    if (result?.kind === 'created') await this.onSubmitted?.(header.id);
    return result as SubmitResult;
  }
}

const secretValues = [secretValue];

function exchangeOf({ nodeId, phase }: CallCommand): Exchange {
  return {
    url: `http://shop.example/${nodeId}/${phase}`,
    verb: 'POST',
    requestHeaders: { 'idempotency-key': 'k' },
    requestBody: '{}',
    latencyMillis: 3,
  };
}
