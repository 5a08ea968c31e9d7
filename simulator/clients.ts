import type { Json, JsonObject } from '../src/core/value/json.ts';
import { idempotencyKey } from '../src/core/call/keys.ts';
import { QueueUnavailable } from '../src/ports/queue.ts';
import { StoreUnavailable } from '../src/ports/store.ts';
import { type Answer, granted } from '../src/app/answer.ts';
import { judgeToken, receiveCallback } from '../src/app/callbacks.ts';
import { cancel, terminate, wake } from '../src/app/control.ts';
import { deleteHold, type HoldRequest, putHold } from '../src/app/holds.ts';
import type { AppContext } from '../src/app/context.ts';
import { type Resolution, resolve, retry, undo } from '../src/app/settle.ts';
import { start } from '../src/app/start.ts';
import { Overloaded } from '../src/engine/settings.ts';
import type { Random } from './random.ts';
import type { CallbackPost } from './downstreams.ts';
import { keyParts } from './definition-view.ts';
import { somethingStands } from './language/rules.ts';
import { short } from './rules/ledger.ts';
import type { Account } from './rules/account.ts';
import { tokenOf } from './callback-address.ts';
import type { World } from './world.ts';

const clientPatienceMillis = 4_000;
const maxTries = 60;

/**
 * The users of the processes: clients that start executions, downstreams that call back, operators. They use the same
 * services as the API, at whatever process they reach, and repeat unanswered requests as clients do.
 */
export class Clients {
  readonly #world: World;
  readonly #random: Random;
  /** The execution of each start key. */
  readonly #started = new Map<string, string>();
  #open = 0;
  #keys = 0;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    world.onCallback = (callback) => this.#callBack(callback, 1);
  }

  /** Requests under way, and callbacks that are to be tried again. */
  get open(): number {
    return this.#open;
  }

  /** Starts an execution; with a start key it is repeated until it is answered. */
  submit(definition: JsonObject, payload: JsonObject, delayMillis: number): void {
    const key = this.#random.chance(0.6) ? `key-${String(++this.#keys)}` : undefined;
    this.#submit(definition, payload, delayMillis, key, undefined, 1);
  }

  #submit(
    definition: JsonObject,
    payload: JsonObject,
    delayMillis: number,
    key: string | undefined,
    startAt: string | undefined,
    tries: number,
  ): void {
    const { clock, trace, ledger } = this.#world;
    const at = delayMillis > 0 ? new Date(clock.now() + delayMillis).toISOString() : startAt;
    this.#ask(
      (app) =>
        start(app, {
          source: { kind: 'inline', definition },
          payload,
          ...(at !== undefined && { startAt: at }),
          ...(key !== undefined && { startKey: { caller: 'client', key } }),
        }),
      (answer) => {
        if (answer === undefined) {
          if (key !== undefined && tries < maxTries) this.#submit(definition, payload, 0, key, at, tries + 1);
          return;
        }
        if (!answer.ok) {
          ledger.blame('accepted', `a run was refused: ${answer.errors.join(' ')}`);
          return;
        }
        trace.note('client', `started ${short(answer.value.id)} ${answer.value.status}`);
        if (!ledger.accounts.has(answer.value.id))
          ledger.blame('durable', `${answer.value.id} was accepted and is not stored`);
        const before = key === undefined ? undefined : this.#started.get(key);
        if (before !== undefined && before !== answer.value.id)
          ledger.blame('start key', `${String(key)} gave two executions`);
        if (key !== undefined) {
          this.#started.set(key, answer.value.id);
          if (this.#random.chance(0.3)) this.#submit(definition, payload, 0, key, at, maxTries);
        }
      },
    );
  }

  /** Lets an operator act on some execution. */
  operate(): void {
    const accounts = [...this.#world.ledger.accounts.values()];
    if (accounts.length === 0) return;
    const account = this.#random.pick(accounts);
    const { id } = account;
    if (this.#world.scenario.family === true && account.state.end?.status === 'SUCCEEDED') {
      this.undo(account);
      // Two operators see the same run.
      if (this.#random.chance(0.5)) this.undo(account);
      return;
    }
    switch (
      this.#random.pick(['cancel', 'cancel', 'terminate', 'wake', 'wake', 'retry', 'retry', 'resolve', 'resolve'])
    ) {
      case 'cancel':
        this.cancel(account);
        break;
      case 'terminate':
        this.#tell('terminate', id, (app) => terminate(app, id));
        break;
      case 'wake':
        this.#tell('wake', id, (app) => wake(app, id));
        break;
      case 'retry':
        this.retry(account, this.#random.chance(0.5));
        break;
      default:
        this.resolve(account);
    }
  }

  /** Lets an operator place, change or lift a hold. */
  hold(): void {
    const { clock, trace, hosts } = this.#world;
    const random = this.#random;
    const id = random.pick(['hold-a', 'hold-b']);
    if (random.chance(0.4)) {
      this.lift(id);
      return;
    }
    const host = random.pick(hosts);
    const target = random.pick<Omit<HoldRequest, 'reason'>>([
      { host },
      { host },
      { host: `${host}:80` },
      { name: 'random', version: '1' },
      { name: 'random' },
      // This hold keeps nothing back.
      { host: `${host}:8080` },
      { name: 'random', version: '2' },
    ]);
    const until = random.chance(0.3) ? { until: clock.now() + random.int(3_000, 9_000) } : undefined;
    trace.note('operator', `holds ${id} ${JSON.stringify({ ...target, ...until })}`);
    this.#ask(
      (app) => putHold(app, id, { ...target, ...until, reason: 'It is being mended.' }),
      (answer) => {
        trace.note('operator', `holds ${id}: ${answer?.ok === true ? 'placed' : 'no answer'}`);
        // A process whose clock is far ahead may find that the time is over.
      },
    );
  }

  /** Lifts a hold as an operator, repeated until it is answered. */
  lift(id: string): void {
    const { trace } = this.#world;
    trace.note('operator', `lifts ${id}`);
    this.#ask(
      async (app) => granted(await deleteHold(app, id)),
      (answer) => {
        if (answer === undefined) this.lift(id);
        else trace.note('operator', `lifts ${id}: lifted`);
      },
    );
  }

  /** Requests the end of an execution, with compensation of what remains. */
  cancel({ id }: Account): void {
    this.#tell('cancel', id, (app) => cancel(app, id, 'No longer wanted.'));
  }

  /** Requests another round, or the unfinished compensations again. */
  retry({ id }: Account, force: boolean): void {
    this.#tell('retry', id, (app) => retry(app, id, force));
  }

  /** Requests that an execution that has succeeded is taken back. */
  undo({ id }: Account): void {
    this.#tell('undo', id, (app) => undo(app, id, 'Not wanted after all.'));
  }

  /** Settles a visit by hand, after making sure downstream that the statement is true and stays true. */
  resolve(account: Account): void {
    const resolution = this.#resolution(account);
    if (resolution === undefined) return;
    const { nodeId, phase, outcome } = resolution;
    this.#tell(`resolve ${phase} ${nodeId} ${outcome}`, account.id, (app) => resolve(app, account.id, resolution));
  }

  #resolution(account: Account): Resolution | undefined {
    const { downstreams } = this.#world;
    const { id, state } = account;
    const reason = 'Looked at it.';
    if (state.end?.status === 'CORRUPTED') {
      const row = account.steps.find(
        (one) => one.round === state.round && ['failed', 'reopened'].includes(account.undo.get(one.ord) ?? ''),
      );
      if (row?.key === undefined) return undefined;
      const isUndone = this.#isUndone(row.key, row.child);
      const { nodeId, visit } = row;
      return { nodeId, visit, phase: 'DOWN', outcome: isUndone ? 'succeeded' : 'failed', reason };
    }
    for (const { nodeId, stage } of state.tokens) {
      if (stage.kind === 'unwinding' && stage.undo !== undefined && stage.callId === undefined) {
        const { target } = stage.undo;
        const isUndone = this.#isUndone(target.key, target.child);
        const outcome = isUndone ? 'succeeded' : 'failed';
        return { nodeId: target.nodeId, visit: target.visit, phase: 'DOWN', outcome, reason };
      }
      if (stage.kind !== 'waiting' && stage.kind !== 'backoff') continue;
      const { visit, key } = stage.task;
      const of = keyParts(key ?? idempotencyKey(id, state.round, nodeId, visit, 'UP'));
      const isDone = downstreams.settleVisit(id, of.round, nodeId, of.visit);
      return { nodeId, visit, phase: 'UP', outcome: isDone ? 'succeeded' : 'failed', body: { ok: isDone }, reason };
    }
    return undefined;
  }

  /** Whether an effect is undone, after an operator has looked at it; that of a visit which started an execution is what stands of that one. */
  #isUndone(key: string, childId: string | undefined): boolean {
    const { downstreams, ledger } = this.#world;
    const mends = this.#random.chance(0.5);
    const child = childId === undefined ? undefined : ledger.accounts.get(childId);
    if (child !== undefined) return !somethingStands(child, downstreams, ledger.accounts.values());
    return downstreams.settleUndo(key, mends);
  }

  #tell(what: string, id: string, action: (app: AppContext) => Promise<Answer<unknown>>): void {
    const { trace } = this.#world;
    trace.note('operator', `${what} ${short(id)}`);
    this.#ask(action, (answer) => {
      const result = answer === undefined ? 'no answer' : answer.ok ? 'accepted' : answer.errors.join(' ');
      trace.note('operator', `${what} ${short(id)}: ${result}`);
    });
  }

  #callBack(callback: CallbackPost, tries: number): void {
    const { clock, trace, ledger } = this.#world;
    const { token, claims } = tokenOf(callback.address);
    const text = JSON.stringify(callback.body);
    const what = `${claims.nodeId}#${String(claims.visit)} of ${short(claims.executionId)} ${text}`;
    this.#ask(
      (app) =>
        receiveCallback(app, {
          executionId: claims.executionId,
          nodeId: claims.nodeId,
          token: judgeToken(app, token),
          bytes: new TextEncoder().encode(text),
          body: () => ({ ok: true, value: callback.body as Json }),
        }),
      (answer) => {
        trace.note('callback', `${what}: ${answer === undefined ? 'no answer' : answer.ok ? 'accepted' : answer.code}`);
        if (answer?.ok === false && (answer.code === 'callback_malformed' || answer.code === 'unknown_execution')) {
          ledger.blame('accepted callbacks', `${what}: ${answer.errors.join(' ')}`);
        }
        if (answer !== undefined || tries >= maxTries) return;
        this.#open++;
        clock.after(this.#random.int(200, 1_500), () => {
          this.#open--;
          this.#callBack(callback, tries + 1);
        });
      },
    );
  }

  /** Makes one request to some process; undefined when no answer came. */
  #ask<T>(action: (app: AppContext) => Promise<Answer<T>>, done: (answer: Answer<T> | undefined) => void): void {
    const { clock, ledger, processes } = this.#world;
    this.#open++;
    let isOpen = true;
    const settle = (answer: Answer<T> | undefined): void => {
      if (!isOpen) return;
      isOpen = false;
      timer.cancel();
      this.#open--;
      done(answer);
    };
    const timer = clock.after(processes.length === 0 ? 300 : clientPatienceMillis, () => settle(undefined));
    if (processes.length === 0) return;
    const process = this.#random.pick(processes);
    process.clock.deliver(() => {
      action(process.app).then(
        (answer) => settle(answer),
        (error: unknown) => {
          if (!(
            error instanceof StoreUnavailable ||
            error instanceof QueueUnavailable ||
            error instanceof Overloaded
          )) {
            ledger.blame('internal error', error instanceof Error ? (error.stack ?? error.message) : String(error));
          }
          // The client comes back later.
          clock.after(100, () => settle(undefined));
        },
      );
    });
  }
}
