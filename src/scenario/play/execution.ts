import { admit, isReady } from '../../core/admission.ts';
import type { Admission, SeenCallback } from '../../core/admission.ts';
import { apply } from '../../core/apply.ts';
import { prepareCall } from '../../core/call/call.ts';
import type { CallResources, PreparedCall } from '../../core/call/call.ts';
import { Outputs } from '../../core/context/outputs.ts';
import { placesOf } from '../../core/context/scope.ts';
import { undoQueries } from '../../core/context/wanted.ts';
import type { CallbackEvent, CallCommand, Command, Event } from '../../core/event.ts';
import type { Plan } from '../../core/plan.ts';
import { renderRequest, renderStable } from '../../core/request/render.ts';
import type { Env, ExecutionHeader, Run, Told, Transition } from '../../core/run.ts';
import { begin } from '../../core/start.ts';
import type { State } from '../../core/state.ts';
import { isPending } from '../../core/transition/callback.ts';
import { canonicalJson } from '../../core/value/json.ts';
import type { Json } from '../../core/value/json.ts';
import { callNames, type NodePath } from '../names.ts';
import type { ScenarioAction } from '../scenario.ts';
import { act } from './action.ts';
import { type Downstream, isCalledBack } from './downstream.ts';
import { type EarlierEffect, Journal } from './journal.ts';
import { Narrator, type Telling } from './narrator.ts';
import { callerOf, isHeld, taskOf } from './waiting.ts';

/** A call with its rendering, or the reason why it has none. */
interface Ready {
  readonly prepared: PreparedCall;
  readonly rendered: ReturnType<typeof renderRequest>;
}

/** The API's refusal of a callback. */
const refusals: Readonly<Record<Exclude<Admission['kind'], 'accepted'>, string>> = {
  duplicate: 'The same callback had come before (200): nothing happens.',
  other_body: 'Another body had been accepted under the same token (409).',
  earlier_operation: 'The callback belongs to an earlier operation (409).',
  rate_limited: 'Too many callbacks of this operation were judged pending (429).',
  not_waiting: 'Nothing waits for this callback any more (410).',
  conflict: 'The callback cannot be taken now (409).',
};

/** What an execution shares with the others of its family. */
export interface World {
  /** Virtual time, in ms since 1970. */
  readonly now: number;
  readonly env: Env;
  readonly telling: Telling;
  readonly downstream: Downstream;
  /** Timeout of calls whose definition names none, in milliseconds. */
  readonly requestTimeoutMillis: number;
  readonly family: FamilyCommands;
  variable(name: string): string | undefined;
  /** Has something happen after so many milliseconds, before what people do at that instant. */
  later(millis: number, happen: () => void): void;
  /** A call goes out; its names, the most exact one first. */
  called(names: readonly string[]): void;
}

/** Performs what executions ask of each other. */
export interface FamilyCommands {
  perform(execution: SimulatedExecution, command: FamilyCommand): void;
  tell(execution: SimulatedExecution, told: Told): void;
}

/** A command about a child. */
export type FamilyCommand = Extract<Command, { type: 'startChild' | 'takeBack' | 'terminateChildren' }>;

/** One execution of a simulation: the real core with a history in memory. */
export class SimulatedExecution {
  readonly journal: Journal = new Journal();
  readonly plan: Plan;
  readonly header: ExecutionHeader;
  /** The workflow nodes that lead to it; empty for the root. */
  readonly path: NodePath;
  readonly #world: World;
  readonly #narrator: Narrator;
  readonly #commands: Command[] = [];
  /** Events of other executions that it has not taken yet. */
  readonly #inbox: Event[] = [];
  /** All accepted callbacks, to recognise duplicates. */
  readonly #seen: SeenCallback[] = [];
  /** Callbacks that came before their node had parked. */
  #kept: CallbackEvent[] = [];
  #inboxIds = 0;
  #state: State | undefined;
  #outputs: Outputs = Outputs.empty;

  constructor(plan: Plan, header: ExecutionHeader, path: NodePath, world: World) {
    this.plan = plan;
    this.header = header;
    this.path = path;
    this.#world = world;
    this.#narrator = new Narrator(world.telling, path);
  }

  /** Throws before it begins. */
  get run(): Run {
    if (this.#state === undefined) throw new Error('The execution has not begun.');
    return { plan: this.plan, header: this.header, state: this.#state, outputs: this.#outputs };
  }

  /** Begins it. Call it once. */
  begin(): void {
    this.#take(begin(this.plan, this.header, this.#world.env));
  }

  /** Applies an event. */
  apply(event: Event): void {
    this.#take(apply(this.run, event, this.#world.env));
  }

  /** Receives an event of another execution, which it takes with its next step. */
  receive(event: Event): void {
    this.#inbox.push(event);
  }

  #take(transition: Transition): void {
    this.#state = transition.state;
    this.#outputs = transition.outputs;
    this.journal.append(transition);
    this.#commands.push(...transition.commands);
    this.#narrator.tell(transition);
    for (const told of transition.tells) this.#world.family.tell(this, told);
  }

  /** Does the next thing that neither needs time nor an event from outside. Returns false if there is none. */
  step(): boolean {
    const command = this.#commands.shift();
    const received = command === undefined ? this.#inbox.shift() : undefined;
    if (command !== undefined) this.#perform(command);
    else if (received !== undefined) this.apply(received);
    else return this.#goOn();
    return true;
  }

  #goOn(): boolean {
    const kept = this.#kept.find((event) => isReady(this.run.state, event));
    if (kept !== undefined) {
      this.#kept = this.#kept.filter((event) => event !== kept);
      this.apply(kept);
      return true;
    }
    if (!isHeld(this.run.state)) return false;
    this.apply({ type: 'continued' });
    return true;
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
        this.apply({
          type: 'undoFound',
          tokenId: command.tokenId,
          ...(target === undefined ? undefined : { target }),
        });
        return;
      }
      case 'startChild':
      case 'takeBack':
      case 'terminateChildren':
        this.#world.family.perform(this, command);
        return;
      default:
        command satisfies never;
    }
  }

  #call(command: CallCommand): void {
    const ready = this.#prepare(command);
    if (ready === undefined) return;
    const { prepared, rendered } = ready;
    const { now, downstream, requestTimeoutMillis } = this.#world;
    const { callId, nodeId, phase } = command;
    const item = this.#itemOf(command);
    const names = callNames([...this.path, { nodeId, item }], phase);
    this.#world.called(names);
    if (rendered.kind === 'unsent') {
      this.#narrator.sent(callId, { sentAt: now, item });
      this.#answerLater(0, { type: 'answered', callId, result: { ...rendered, retryable: false } });
      return;
    }
    const { verb, url, body } = rendered;
    // A definition's own header of the same name wins, whatever its case.
    const own = new Set(Object.keys(rendered.headers).map((name) => name.toLowerCase()));
    const added = Object.entries(prepared.headers).filter(([name]) => !own.has(name));
    const headers = { ...Object.fromEntries(added), ...rendered.headers };
    const { call } = prepared;
    const timeoutMillis = call.timeoutMillis ?? requestTimeoutMillis;
    const asking = { names, call, isCalledBack: isCalledBack(this.plan, command), timeoutMillis };
    const { result, afterMillis, retryAfterMillis, callbacks } = downstream.answer(asking, now);
    this.#narrator.sent(callId, {
      sentAt: now,
      item,
      request: { verb, url, headers, ...(body === undefined ? undefined : { body }) },
      ...(result.kind === 'response' ? { responseBody: result.response.body } : undefined),
    });
    const wait = retryAfterMillis === undefined ? undefined : { retryAfterMillis };
    this.#answerLater(afterMillis, { type: 'answered', callId, result, ...wait });
    for (const callback of callbacks) this.#callBackLater(command, callback);
  }

  /** The places of the items that a call is for. */
  #itemOf({ callId }: CallCommand): readonly number[] | undefined {
    const caller = callerOf(this.run.state, callId);
    const undo = caller?.stage.kind === 'unwinding' ? caller.stage.undo : undefined;
    const scope = undo?.target.scope ?? caller?.scope;
    return scope === undefined ? undefined : placesOf(scope);
  }

  #answerLater(millis: number, event: Event): void {
    this.#world.later(millis, () => {
      this.apply(event);
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
    this.apply({ type: 'prepared', callId: command.callId, fingerprint, ...reused });
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
      variable: (name: string) => this.#world.variable(name),
      secret: (name: string) => `***${name}***`,
    };
    const stage = callerOf(this.run.state, command.callId)?.stage;
    if (stage?.kind === 'unwinding' && stage.undo !== undefined) {
      const { target } = stage.undo;
      const rows = this.journal.readOutputs(target.round, undoQueries(this.plan, this.run.state, target));
      return { resolver, undoOutputs: Outputs.empty.with(rows) };
    }
    if (!isCalledBack(this.plan, command)) return { resolver };
    const node = encodeURIComponent(command.nodeId.toWellFormed());
    const url = `https://trama.example/workflows/${this.header.id}/node/${node}/callback`;
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
    this.#world.later(callback.afterMillis, () => {
      this.#callBack(event);
    });
  }

  /** A callback arrives, as at the API. */
  #callBack(sent: CallbackEvent): void {
    const { state } = this.run;
    const { nodeId, visit, round, body, nonce } = sent;
    const token = state.tokens.find((candidate) => taskOf(candidate)?.nonce === nonce);
    const pending = token !== undefined && isPending(this.run, token, body, this.#world.env);
    const event = { ...sent, pending };
    const bodyHash = canonicalJson(body);
    const admission = admit(state, event, { bodyHash, seen: this.#seen });
    const entry = {
      kind: 'callback',
      atMillis: this.#narrator.elapsed(this.#world.now),
      nodeId,
      visit,
      round,
      body,
    } as const;
    if (admission.kind !== 'accepted') {
      this.#narrator.say({ ...entry, fate: 'refused', note: refusals[admission.kind] });
      return;
    }
    this.#seen.push({ nonce, bodyHash, pending });
    if (isReady(state, event)) {
      this.#narrator.say({ ...entry, fate: 'accepted' });
      this.apply(event);
    } else {
      this.#narrator.say({ ...entry, fate: 'kept', note: 'Kept until its node waits for it.' });
      this.#kept.push(event);
    }
  }

  /** A person acts, as at the API. `isRootOver`: whether the root of the family has ended. */
  act(action: ScenarioAction, isRootOver: boolean): void {
    const answer = act(action, this.run, this.journal, isRootOver);
    const entry = { kind: 'action', atMillis: this.#narrator.elapsed(this.#world.now), do: action.do } as const;
    if ('refusal' in answer) {
      this.#narrator.say({ ...entry, accepted: false, note: answer.refusal });
      return;
    }
    this.#narrator.say({ ...entry, accepted: true, note: answer.note });
    this.apply(answer.event);
  }
}
