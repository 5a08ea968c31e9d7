import { admit, isReady } from '../core/admission.ts';
import type { Admission, SeenCallback } from '../core/admission.ts';
import { apply } from '../core/apply.ts';
import { prepareCall } from '../core/call/call.ts';
import type { CallResources, PreparedCall } from '../core/call/call.ts';
import type { CoreLimits, Env, ExecutionHeader, Run, Transition } from '../core/run.ts';
import type { CallbackEvent, CallCommand, Command, Event } from '../core/event.ts';
import { canonicalJson } from '../core/value/json.ts';
import type { Json } from '../core/value/json.ts';
import { Outputs } from '../core/context/outputs.ts';
import type { Plan } from '../core/plan.ts';
import { renderRequest, renderStable } from '../core/request/render.ts';
import { placesOf } from '../core/context/scope.ts';
import { begin } from '../core/start.ts';
import type { State } from '../core/state.ts';
import { isPending } from '../core/transition/callback.ts';
import { undoQueries } from '../core/context/wanted.ts';
import { act } from './action.ts';
import { Agenda } from './agenda.ts';
import { Downstream, isCalledBack } from './downstream.ts';
import { type EarlierEffect, Journal } from './journal.ts';
import { Narrator } from './narrator.ts';
import { callName } from './scenario.ts';
import type { Scenario, ScenarioAction } from './scenario.ts';
import { callerOf, isHeld, nextTimer, taskOf } from './waiting.ts';

/** The options of a simulation besides plan and scenario. */
export interface SimulationSettings {
  readonly executionId: string;
  /** Timeout of calls whose definition names none, in milliseconds. */
  readonly requestTimeoutMillis: number;
  /** Bound of answers, callbacks, actions and timers. */
  readonly maxEvents: number;
  readonly limits: CoreLimits;
}

/** A call with its rendering, or the reason why it has none. */
interface Ready {
  readonly prepared: PreparedCall;
  readonly rendered: ReturnType<typeof renderRequest>;
}

/** The order of events at one instant. */
const ranks = { downstream: 0, people: 1 } as const;

/** The API's refusal of a callback. */
const refusals: Readonly<Record<Exclude<Admission['kind'], 'accepted'>, string>> = {
  duplicate: 'The same callback had come before (200): nothing happens.',
  other_body: 'Another body had been accepted under the same token (409).',
  earlier_operation: 'The callback belongs to an earlier operation (409).',
  rate_limited: 'Too many callbacks of this operation were judged pending (429).',
  not_waiting: 'Nothing waits for this callback any more (410).',
  conflict: 'The callback cannot be taken now (409).',
};

/**
 * Plays one execution in virtual time: with the real core, an in-memory history, and the downstream answers of the
 * scenario. Nothing waits in real time: the instant of the next answer, callback, action or timer becomes `now`.
 *
 * Deterministic: at one instant answers and callbacks come first, in the order of their calls, then actions, then
 * timers. Backoff has no jitter. An instance plays once.
 */
export class Simulation {
  readonly journal: Journal = new Journal();
  readonly narrator: Narrator;
  /** Names of all calls in the order in which they went out. */
  readonly calls: string[] = [];
  readonly #plan: Plan;
  readonly #scenario: Scenario;
  readonly #settings: SimulationSettings;
  readonly #header: ExecutionHeader;
  readonly #downstream: Downstream;
  readonly #agenda = new Agenda();
  readonly #commands: Command[] = [];
  /** All accepted callbacks, to recognise duplicates. */
  readonly #seen: SeenCallback[] = [];
  /** Callbacks that came before their node had parked. */
  #kept: CallbackEvent[] = [];
  #nonces = 0;
  #children = 0;
  #inboxIds = 0;
  #now: number;
  #state: State | undefined;
  #outputs: Outputs = Outputs.empty;

  constructor(plan: Plan, scenario: Scenario, settings: SimulationSettings) {
    const { name, version } = plan;
    const { payload } = scenario;
    const labels = { ...plan.labels, ...scenario.labels };
    this.#plan = plan;
    this.#scenario = scenario;
    this.#settings = settings;
    this.#header = { id: settings.executionId, name, version, payload, labels };
    this.#downstream = new Downstream(plan, scenario);
    this.#now = scenario.startedAt;
    this.narrator = new Narrator(scenario.startedAt);
  }

  /** The state of the execution; after the play, its final state. Throws before. */
  get run(): Run {
    if (this.#state === undefined) throw new Error('The simulation has not begun.');
    return { plan: this.#plan, header: this.#header, state: this.#state, outputs: this.#outputs };
  }

  /** Plays until nothing more can happen. Returns false when it reached `maxEvents`. */
  play(): boolean {
    const { startedAt, actions } = this.#scenario;
    for (const action of actions) {
      this.#agenda.add(startedAt + action.atMillis, ranks.people, () => {
        this.#act(action);
      });
    }
    this.#take(begin(this.#plan, this.#header, this.#env()));
    this.#settle();
    for (let events = 0; ; events++) {
      const outside = this.#agenda.next() ?? Infinity;
      const timer = nextTimer(this.run.state) ?? Infinity;
      if (outside === Infinity && timer === Infinity) return true;
      if (events >= this.#settings.maxEvents) return false;
      this.#now = Math.max(this.#now, Math.min(outside, timer));
      if (outside <= timer) this.#agenda.take()?.();
      else this.#apply({ type: 'timer' });
      this.#settle();
    }
  }

  #env(): Env {
    return {
      now: this.#now,
      advance: true,
      random: () => 0.5,
      nonce: () => `nonce-${String(++this.#nonces)}`,
      executionId: () => `child-${String(++this.#children)}`,
      callbackKey: () => undefined,
      variable: (name) => this.#variable(name),
      limits: this.#settings.limits,
    };
  }

  #variable(name: string): string | undefined {
    const { vars } = this.#scenario;
    return Object.hasOwn(vars, name) ? vars[name] : undefined;
  }

  #apply(event: Event): void {
    this.#take(apply(this.run, event, this.#env()));
  }

  #take(transition: Transition): void {
    this.#state = transition.state;
    this.#outputs = transition.outputs;
    this.journal.append(transition);
    this.#commands.push(...transition.commands);
    this.narrator.tell(transition);
  }

  /** Runs commands and advances tokens until only time or an event from outside can move the execution. */
  #settle(): void {
    for (;;) {
      const command = this.#commands.shift();
      const kept = this.#kept.find((event) => isReady(this.run.state, event));
      if (command !== undefined) this.#perform(command);
      else if (kept !== undefined) {
        this.#kept = this.#kept.filter((event) => event !== kept);
        this.#apply(kept);
      } else if (isHeld(this.run.state)) this.#apply({ type: 'continued' });
      else return;
    }
  }

  #perform(command: Command): void {
    switch (command.type) {
      case 'call':
        this.#call(command);
        return;
      case 'abort':
        // The attempt has been recorded, and no node waits for its answer any more.
        return;
      case 'findUndo': {
        const target = this.journal.findUndo(command);
        this.#apply({
          type: 'undoFound',
          tokenId: command.tokenId,
          ...(target === undefined ? undefined : { target }),
        });
        return;
      }
      case 'startChild':
        this.#apply({
          type: 'childRefused',
          childId: command.childId,
          reason: 'The scenario does not know the definition that the node starts.',
        });
        return;
      case 'takeBack':
        throw new Error('A scenario without children takes none back.');
      case 'terminateChildren':
        this.#apply({ type: 'childrenTold' });
        return;
      default:
        command satisfies never;
    }
  }

  #call(command: CallCommand): void {
    const ready = this.#prepare(command);
    if (ready === undefined) return;
    const { prepared, rendered } = ready;
    const { callId, nodeId, phase } = command;
    this.calls.push(callName(nodeId, phase));
    if (rendered.kind === 'unsent') {
      this.narrator.sent(callId, { sentAt: this.#now });
      this.#later(0, { type: 'answered', callId, result: { ...rendered, retryable: false } });
      return;
    }
    const { verb, url, body } = rendered;
    // A definition's own header of the same name wins, whatever its case.
    const own = new Set(Object.keys(rendered.headers).map((name) => name.toLowerCase()));
    const added = Object.entries(prepared.headers).filter(([name]) => !own.has(name));
    const headers = { ...Object.fromEntries(added), ...rendered.headers };
    const timeoutMillis = prepared.call.timeoutMillis ?? this.#settings.requestTimeoutMillis;
    const answer = this.#downstream.answer(command, prepared.call, timeoutMillis, this.#now);
    const { result, afterMillis, retryAfterMillis } = answer;
    this.narrator.sent(callId, {
      sentAt: this.#now,
      request: { verb, url, headers, ...(body === undefined ? undefined : { body }) },
      ...(result.kind === 'response' ? { responseBody: result.response.body } : undefined),
    });
    const wait = retryAfterMillis === undefined ? undefined : { retryAfterMillis };
    this.#later(afterMillis, { type: 'answered', callId, result, ...wait });
    for (const callback of answer.callbacks) this.#callBackLater(command, callback);
  }

  #later(millis: number, event: Event): void {
    this.#agenda.add(this.#now + millis, ranks.downstream, () => {
      this.#apply(event);
    });
  }

  /** The call as it goes out; undefined when the state does not ask for it any more. */
  #prepare(command: CallCommand): Ready | undefined {
    const ready = this.#render(command);
    if (ready?.rendered.kind !== 'request' || command.phase !== 'UP' || !ready.prepared.call.mutating) return ready;
    const { prepared, rendered } = ready;
    // A request of an earlier round whose effect stands goes out under its earlier key.
    const fingerprint = renderStable(prepared.call.request, prepared.context, rendered);
    const earlier = this.#earlier(command, fingerprint);
    const isSame = earlier?.fingerprint === fingerprint;
    const reused = isSame ? { reused: { key: earlier.key, ord: earlier.ord, begunAt: earlier.begunAt } } : undefined;
    this.#apply({ type: 'prepared', callId: command.callId, fingerprint, ...reused });
    return isSame ? this.#render(command) : ready;
  }

  #earlier({ nodeId, visit, tokenId }: CallCommand, fingerprint: string): EarlierEffect | undefined {
    const { round, tokens } = this.run.state;
    const token = tokens.find(({ id }) => id === tokenId);
    if (token === undefined || placesOf(token.scope) === undefined) {
      return this.journal.findEarlier(nodeId, visit, round);
    }
    const taken = tokens.flatMap(({ stage }) => ('task' in stage ? (stage.task.supersedes ?? []) : []));
    return this.journal.findEarlierOfItem(token, round, fingerprint, new Set(taken));
  }

  #render(command: CallCommand): Ready | undefined {
    const prepared = prepareCall(this.run, command, this.#resources(command));
    if (prepared === undefined) return undefined;
    return { prepared, rendered: renderRequest(prepared.call.request, prepared.context) };
  }

  /** The server's look-ups: secrets show by their names, tokens not at all. */
  #resources(command: CallCommand): CallResources {
    const resolver = {
      variable: (name: string) => this.#variable(name),
      secret: (name: string) => `***${name}***`,
    };
    const stage = callerOf(this.run.state, command.callId)?.stage;
    if (stage?.kind === 'unwinding' && stage.undo !== undefined) {
      const { target } = stage.undo;
      const rows = this.journal.readOutputs(target.round, undoQueries(this.#plan, this.run.state, target));
      return { resolver, undoOutputs: Outputs.empty.with(rows) };
    }
    if (!isCalledBack(this.#plan, command)) return { resolver };
    const node = encodeURIComponent(command.nodeId.toWellFormed());
    const url = `https://trama.example/workflows/${this.#header.id}/node/${node}/callback`;
    return { resolver, callback: { url, token: '***', signedUrl: `${url}/***` } };
  }

  #callBackLater(command: CallCommand, callback: { readonly afterMillis: number; readonly body: Json }): void {
    const { nodeId, visit } = command;
    const task = taskOf(callerOf(this.run.state, command.callId));
    if (task?.nonce === undefined) return;
    const { operation, nonce } = task;
    const { round } = this.run.state;
    const inboxId = `callback-${String(++this.#inboxIds)}`;
    const { body } = callback;
    const event = { type: 'callback', inboxId, round, nodeId, visit, operation, nonce, body, pending: false } as const;
    this.#agenda.add(this.#now + callback.afterMillis, ranks.downstream, () => {
      this.#callBack(event);
    });
  }

  /** A callback arrives, as at the API. */
  #callBack(sent: CallbackEvent): void {
    const { state } = this.run;
    const { nodeId, visit, round, body, nonce } = sent;
    const token = state.tokens.find((candidate) => taskOf(candidate)?.nonce === nonce);
    const pending = token !== undefined && isPending(this.run, token, body, this.#env());
    const event = { ...sent, pending };
    const bodyHash = canonicalJson(body);
    const admission = admit(state, event, { bodyHash, seen: this.#seen });
    const entry = { kind: 'callback', atMillis: this.narrator.elapsed(this.#now), nodeId, visit, round, body } as const;
    if (admission.kind !== 'accepted') {
      this.narrator.say({ ...entry, fate: 'refused', note: refusals[admission.kind] });
      return;
    }
    this.#seen.push({ nonce, bodyHash, pending });
    if (isReady(state, event)) {
      this.narrator.say({ ...entry, fate: 'accepted' });
      this.#apply(event);
    } else {
      this.narrator.say({ ...entry, fate: 'kept', note: 'Kept until its node waits for it.' });
      this.#kept.push(event);
    }
  }

  #act(action: ScenarioAction): void {
    const answer = act(action, this.run.state, this.journal);
    const entry = { kind: 'action', atMillis: this.narrator.elapsed(this.#now), do: action.do } as const;
    if ('refusal' in answer) {
      this.narrator.say({ ...entry, accepted: false, note: answer.refusal });
      return;
    }
    this.narrator.say({ ...entry, accepted: true, note: answer.note });
    this.#apply(answer.event);
  }
}
