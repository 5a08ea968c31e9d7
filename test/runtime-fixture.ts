/**
 * Engines over the store and the queue in memory, with a virtual clock and downstreams that the test scripts. Every port
 * can be made to fail.
 */
import { apply } from '../src/core/apply.ts';
import type { CallbackEvent } from '../src/core/event.ts';
import { Outputs } from '../src/core/context/outputs.ts';
import { slotOf } from '../src/core/value/slot.ts';
import { summarize } from '../src/core/summary.ts';
import { parseJson, stringifyJson, type Json, type JsonObject } from '../src/core/value/json.ts';
import type { CallAnswer, LastWord, CallHandle, HttpCaller, OutboundRequest } from '../src/ports/http-caller.ts';
import { StoreUnavailable, type InboxEvent, type SubmitResult } from '../src/ports/store.ts';
import type { ExecutionDetail } from '../src/ports/records.ts';
import type { Queue } from '../src/ports/queue.ts';
import type { LogFields, Telemetry } from '../src/ports/telemetry.ts';
import { silentTelemetry } from '../src/ports/telemetry.ts';
import type { Tracer } from '../src/ports/tracer.ts';
import { MemoryQueueHub } from '../src/queue/memory/memory-queue.ts';
import { isListed } from '../src/app/queries/history.ts';
import { Engine } from '../src/engine/engine.ts';
import type { CallGate } from '../src/engine/call/gate/call-gate.ts';
import { PlanCache } from '../src/engine/worker/plan-cache.ts';
import { defaultEngineSettings, type EngineSettings } from '../src/engine/settings.ts';
import { MemoryStore } from '../simulator/store/memory-store.ts';
import { SeededEntropy, VirtualClock } from '../simulator/virtual-clock.ts';

/** Methods of the store that a test may watch and break. */
const watched = [
  'submit',
  'takeOver',
  'checkpoint',
  'readInbox',
  'readOutputs',
  'findUndo',
  'findStanding',
  'listStandingRequests',
  'findDue',
  'listDue',
  'readClaims',
  'beat',
  'ping',
] as const;
export type Watched = (typeof watched)[number];

/** `away` fails before anything is written, `silent` after. A promise holds the operation until it resolves. */
export type Fault = 'away' | 'silent' | Error | Promise<void> | undefined;

/** The store in memory, whose operations a test may hold up or fail. */
export class BreakableStore extends MemoryStore {
  /** Asked before each watched operation; the argument is what the method was called with. */
  fault: (operation: Watched, args: readonly unknown[]) => Fault = () => undefined;
  readonly seen: { operation: Watched; args: readonly unknown[] }[] = [];

  constructor(clock: VirtualClock) {
    super(() => clock.now());
    const self = this as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    for (const operation of watched) {
      const real = self[operation]!.bind(this);
      self[operation] = async (...args) => {
        this.seen.push({ operation, args });
        const fault = this.fault(operation, args);
        if (fault instanceof Promise) await fault;
        else if (fault instanceof Error) throw fault;
        else if (fault === 'away') throw new StoreUnavailable('unreachable', 'The store is away.');
        const answer = await real(...args);
        if (fault === 'silent') throw new StoreUnavailable('unreachable', 'No answer came.');
        return answer;
      };
    }
  }

  /** How often an operation was called. */
  count(operation: Watched): number {
    return this.seen.filter((entry) => entry.operation === operation).length;
  }
}

/** How a downstream answers. `hold` leaves the call open until the test answers or it is aborted. */
export type Reply =
  | {
      readonly status?: number;
      readonly body?: Json;
      readonly headers?: Record<string, string>;
      readonly afterMillis?: number;
    }
  | {
      readonly error: 'timeout' | 'connect' | 'body' | 'refused';
      readonly sent?: boolean;
      readonly message?: string;
      readonly afterMillis?: number;
    }
  | 'hold';

export interface SeenCall {
  readonly request: OutboundRequest;
  readonly at: number;
  readonly answer: (reply: Exclude<Reply, 'hold'>) => void;
  aborted: boolean;
}

/** Downstreams by the last segment of the URL's path. */
export class ScriptedHttp implements HttpCaller {
  readonly calls: SeenCall[] = [];
  reply: (path: string, request: OutboundRequest, nth: number) => Reply = () => ({});
  /** How long the next call waits for a connection. */
  connectMillis = 0;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  start(request: OutboundRequest, done: (answer: CallAnswer) => void, lastWord?: LastWord): CallHandle {
    const path = pathOf(request);
    let open = true;
    const settle = (answer: CallAnswer): void => {
      if (!open) return;
      open = false;
      done(answer);
    };
    const answer = (reply: Exclude<Reply, 'hold'>): void => {
      this.#clock.after(reply.afterMillis ?? 1, () => settle(answerOf(reply)));
    };
    if (this.connectMillis > 0) {
      const { connectMillis } = this;
      this.connectMillis = 0;
      let handle: CallHandle | undefined;
      const waiting = this.#clock.after(connectMillis, () => {
        if (lastWord?.mayLeave() === false) lastWord.withheld();
        else handle = this.start(request, done, lastWord);
      });
      return { abort: () => (handle === undefined ? waiting.cancel() : handle.abort()) };
    }
    const seen: SeenCall = { request, at: this.#clock.now(), answer, aborted: false };
    this.calls.push(seen);
    const reply = this.reply(path, request, this.paths().filter((other) => other === path).length);
    if (reply !== 'hold') answer(reply);
    return {
      abort: () => {
        seen.aborted = true;
        this.#clock.after(0, () =>
          settle({ kind: 'failed', error: 'aborted', sent: true, message: 'Aborted.', latencyMillis: 0 }),
        );
      },
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** What was called, in order. */
  paths(): string[] {
    return this.calls.map((call) => pathOf(call.request));
  }

  keys(): string[] {
    return this.calls.map((call) => call.request.headers['idempotency-key'] ?? '');
  }
}

function pathOf(request: OutboundRequest): string {
  return new URL(request.url).pathname.slice(1);
}

function answerOf(reply: Exclude<Reply, 'hold'>): CallAnswer {
  if ('error' in reply) {
    const { error, sent = true, message = `It failed: ${error}.` } = reply;
    return { kind: 'failed', error, sent, message, latencyMillis: 1 };
  }
  const body = stringifyJson(reply.body ?? {});
  return {
    kind: 'response',
    status: reply.status ?? 200,
    headers: { 'content-type': 'application/json', ...reply.headers },
    body,
    bodyJson: parseJson(body),
    latencyMillis: 1,
  };
}

/** A task of a graph definition that calls `http://mock/<id>`. */
export function task(id: string, more: JsonObject = {}): JsonObject {
  const { compensation, action, ...rest } = more;
  return {
    kind: 'task',
    id,
    action: {
      mode: 'sync',
      request: { url: `http://mock/${id}`, verb: 'POST', body: { id } },
      ...(action as JsonObject),
    },
    ...(compensation === false
      ? undefined
      : { compensation: { url: `http://mock/undo-${id}`, verb: 'POST', body: { id } } }),
    ...rest,
  };
}

/** A graph definition without retries; the first node is the entrypoint. */
export function graph(nodes: readonly JsonObject[], more: JsonObject = {}): JsonObject {
  return {
    name: 'test',
    version: '1',
    failureHandling: { type: 'retry', maxAttempts: 0, delayMillis: 1 },
    entrypoint: nodes[0]!['id']!,
    nodes,
    ...more,
  };
}

/** Tasks in a row. */
export function chain(...ids: readonly string[]): JsonObject {
  return graph(ids.map((id, i) => task(id, ids[i + 1] === undefined ? {} : { next: ids[i + 1]! })));
}

export class RuntimeFixture {
  readonly clock = new VirtualClock();
  readonly entropy = new SeededEntropy(7);
  readonly hub = new MemoryQueueHub(this.clock);
  readonly store = new BreakableStore(this.clock);
  readonly http = new ScriptedHttp(this.clock);
  readonly logs: { level: string; message: string; fields?: LogFields }[] = [];
  readonly fenced: string[] = [];
  readonly secrets = new Map<string, string>();
  mayGoTo: (secret: string, url: string, hostFromData: boolean) => boolean = () => true;
  misplaced: (request: { readonly url: string; readonly body?: string }) => string | undefined = () => undefined;
  readonly plans: PlanCache;
  readonly telemetry: Telemetry & { tracer?: Tracer | undefined };
  /** The gate of the engines made from now on. */
  gate: CallGate | undefined;
  /** Takes the tokens that were fetched out of a text. */
  #concealed: ((text: string) => string) | undefined;
  readonly #engines: Engine[] = [];

  constructor() {
    this.telemetry = {
      ...silentTelemetry,
      logs: () => true,
      log: (level, message, fields) =>
        this.logs.push(fields === undefined ? { level, message } : { level, message, fields }),
      fenced: (reason) => this.fenced.push(reason),
    };
    this.plans = new PlanCache({ store: this.store, telemetry: this.telemetry, size: 10 });
  }

  /** A started engine. */
  async engine(
    settings: Partial<EngineSettings> = {},
    runs = true,
    wrap: (queue: Queue) => Queue = (queue) => queue,
  ): Promise<Engine> {
    await this.store.open();
    const engine = new Engine({
      clock: this.clock,
      entropy: this.entropy,
      store: this.store,
      queue: wrap(this.hub.connect(`pod/run-${this.#engines.length + 1}`)),
      http: this.http,
      telemetry: this.telemetry,
      vault: {
        secret: (name) => this.secrets.get(name),
        variable: () => undefined,
        mayGoTo: (secret, url, hostFromData) => this.mayGoTo(secret, url, hostFromData),
        misplaced: (request) => this.misplaced(request),
        conceal: (value) => {
          const concealed = this.#concealed;
          this.#concealed = (text) => (concealed?.(text) ?? text).replaceAll(value, '***');
          return (text) => text.replaceAll(value, '***');
        },
        concealed: () => this.#concealed,
      },
      callbacks: {
        keyFor: (used) => used ?? 'k',
        issue: (claims) => ({
          url: 'http://trama/callback',
          token: claims.nonce,
          signedUrl: `http://trama/${claims.nonce}`,
        }),
      },
      masker: { text: (text) => text, json: (value) => value, headers: (headers) => headers },
      ...(this.gate === undefined ? undefined : { gate: this.gate }),
      plans: this.plans,
      runs,
      version: '1.0.0',
      settings: { ...defaultEngineSettings, ...settings },
    });
    this.#engines.push(engine);
    await engine.start();
    return engine;
  }

  /** Submits a run; answers its id once it is durable. */
  async submit(
    engine: Engine,
    definition: JsonObject,
    more: { payload?: JsonObject; startAt?: number; scope?: readonly string[] } = {},
  ): Promise<string> {
    const { id, result } = this.submitting(engine, definition, more);
    let settled = false;
    void result.catch(() => undefined).finally(() => (settled = true));
    await this.clock.runUntilIdle(60_000, () => settled);
    await result;
    return id;
  }

  /** The same without waiting. */
  submitting(
    engine: Engine,
    definition: JsonObject,
    more: { payload?: JsonObject; startAt?: number; scope?: readonly string[] } = {},
  ): { id: string; result: Promise<SubmitResult> } {
    const compiled = this.plans.compile(definition);
    if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
    const { plan } = compiled;
    const id = engine.mintId(this.clock.now());
    const payload = more.payload ?? {};
    const result = engine.submit({
      plan,
      header: { id, name: plan.name, version: plan.version, payload, labels: {} },
      definition: stringifyJson(definition),
      payload: stringifyJson(payload),
      createdAt: this.clock.now(),
      ...(more.startAt === undefined ? undefined : { startAt: more.startAt }),
      ...(more.scope === undefined ? undefined : { scope: more.scope }),
    });
    return { id, result };
  }

  /** Puts an event into the inbox, as the API does; without `ring` no process is told. */
  async offer(engine: Engine | undefined, id: string, event: InboxEvent, bodyHash?: string): Promise<string> {
    const row = { id: event.inboxId ?? this.entropy.nonce(), at: this.clock.now(), event };
    const result = await this.store.offer(
      { executionId: id, row, ...(bodyHash === undefined ? undefined : { bodyHash }) },
      this.clock.now(),
    );
    engine?.ring({ id, slot: slotOf(id), dueAt: this.clock.now() });
    return result.kind;
  }

  /** The callback that a node waits for. */
  async callbackOf(id: string, nodeId: string, body: JsonObject = {}): Promise<CallbackEvent> {
    const { state } = await this.detail(id);
    const token = state.tokens.find((other) => other.nodeId === nodeId)!;
    if (!('task' in token.stage)) throw new Error('It waits for nothing.');
    const { visit, operation, nonce = '' } = token.stage.task;
    const { round } = state;
    const inboxId = this.entropy.nonce();
    return { type: 'callback', inboxId, round, nodeId, visit, operation, nonce, body, pending: false };
  }

  /** Retries an execution that is over, as the API does. */
  async retry(engine: Engine, id: string, force = false): Promise<void> {
    const detail = await this.detail(id);
    const plan = this.plans.peek(detail.definitionHash)!;
    const header = { id, name: detail.name, version: detail.version, payload: {}, labels: {} };
    const run = { plan, header, state: detail.state, outputs: Outputs.empty };
    const now = this.clock.now();
    const { state, steps, calls, undo } = apply(run, { type: 'retried', force }, engine.env.at(now, false));
    const writeId = this.entropy.nonce();
    const change = { id, seq: detail.seq, writeId, state, summary: summarize(state), dueAt: now, steps, calls, undo };
    if ((await this.store.changeTerminal(change)) !== true) throw new Error('It changed in between.');
    engine.ring({ id, slot: detail.slot, dueAt: now });
  }

  async detail(id: string): Promise<ExecutionDetail> {
    const detail = await this.store.getExecution(id);
    if (detail === undefined) throw new Error(`There is no execution ${id}.`);
    return detail;
  }

  /** Lets time pass until the execution is over (or has the status), at most `maxMillis`. */
  async until(id: string, status = 'over', maxMillis = 600_000): Promise<ExecutionDetail> {
    const end = this.clock.monotonic() + maxMillis;
    for (;;) {
      const detail = await this.detail(id);
      if (status === 'over' ? detail.state.end !== undefined : detail.status === status) return detail;
      if (this.clock.monotonic() >= end) throw new Error(`Still ${detail.status} after ${maxMillis} ms.`);
      await this.clock.advance(1);
    }
  }

  /** Step rows as `phase:node:outcome`, but for those that lists leave out. */
  async rows(id: string): Promise<string[]> {
    const { items } = await this.store.listSteps(id, { limit: 1000 });
    return items.filter(isListed).map((row) => `${row.phase}:${row.nodeId}:${row.outcome}`);
  }

  /** Stops every engine; nothing may be left that would fire later. */
  async close(): Promise<void> {
    const stops = Promise.all(this.#engines.map((engine) => engine.stop({ drainTimeoutMillis: 1_000 })));
    let stopped = false;
    void stops.then(() => (stopped = true));
    await this.clock.runUntilIdle(60_000, () => stopped);
    await stops;
  }
}
