import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { ApiError, type ApiLog } from './failure.ts';

/** Answers in the making at once. One thread makes them; more than a few would only hold memory while the store reads. */
const maxMade = 4;

/** Of which one caller has at most so many while others wait. */
const maxMadeOfCaller = 2;

/** Requests that wait for a place, of one caller: each costs little, and a caller that has more open is answered 503. */
const maxWaiting = 200;

/** Bytes of printed answers that readers have not taken yet. */
const maxUnreadBytes = 64 * 1024 * 1024;

/** A reader that takes nothing for this long is cut off. */
const stalledMillis = 60_000;

/** What waits: resumed once it has a place. */
type Waiting = () => void;

/** An answer on its way out. */
interface Unread {
  readonly caller: string;
  readonly bytes: number;
  readonly cut: () => void;
}

/**
 * Answers that may be large (lists, histories, documents): few are made at a time, and what slow readers leave unread is bounded. A page ends
 * at 4 MiB of stored text, and takes several times as much memory while it is read, masked and printed: a hundred at a time
 * would end the process.
 *
 * Guarantees: at most {@link maxMade} are in the making, the callers take turns, and nobody waits behind another caller's queue.
 * Of printed answers at most {@link maxUnreadBytes} wait for their readers; beyond that the connection that has been longest at it, of
 * the caller with the most, is cut. Woken by answers that are done; stopped by nothing, since requests end.
 */
export class AnswerPlaces {
  #made = 0;
  readonly #madeOf = new Map<string, number>();
  /** By caller, in the order of their turns. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** In the order in which they began. */
  readonly #unread = new Set<Unread>();
  #unreadBytes = 0;

  /** Answers in the making, those that wait for it, and bytes that no reader has taken. */
  get counts(): { readonly made: number; readonly waiting: number; readonly unreadBytes: number } {
    let waiting = 0;
    for (const queue of this.#waiting.values()) waiting += queue.length;
    return { made: this.#made, waiting, unreadBytes: this.#unreadBytes };
  }

  /**
   * Calls `go` once there is a place, at once if there is one. The result gives it back, or ends the waiting; a second call does nothing.
   *
   * `isCounted` says that the request is one of a number that is bounded already: it waits however many others do.
   *
   * @throws ApiError `overloaded` when the caller has too many that wait.
   */
  enter(caller: string, go: () => void, isCounted = false): () => void {
    const queue = this.#waiting.get(caller) ?? [];
    if (!isCounted && queue.length >= maxWaiting) throw new ApiError('overloaded');
    let phase: 'waiting' | 'in' | 'out' = 'waiting';
    const resume = (): void => {
      phase = 'in';
      this.#made++;
      this.#madeOf.set(caller, (this.#madeOf.get(caller) ?? 0) + 1);
      go();
    };
    queue.push(resume);
    this.#waiting.set(caller, queue);
    this.#next();
    return () => {
      if (phase === 'waiting') this.#forget(caller, resume);
      else if (phase === 'in') this.#leave(caller);
      phase = 'out';
    };
  }

  #forget(caller: string, resume: Waiting): void {
    const left = (this.#waiting.get(caller) ?? []).filter((other) => other !== resume);
    if (left.length === 0) this.#waiting.delete(caller);
    else this.#waiting.set(caller, left);
  }

  #leave(caller: string): void {
    this.#made--;
    const left = (this.#madeOf.get(caller) ?? 1) - 1;
    if (left === 0) this.#madeOf.delete(caller);
    else this.#madeOf.set(caller, left);
    this.#next();
  }

  #next(): void {
    while (this.#made < maxMade) {
      const caller = this.#turn();
      if (caller === undefined) return;
      const queue = this.#waiting.get(caller) ?? [];
      const resume = queue.shift();
      // Behind all others.
      this.#waiting.delete(caller);
      if (queue.length > 0) this.#waiting.set(caller, queue);
      resume?.();
    }
  }

  /** Whose turn it is. A caller that waits alone may have every place but one, which the next other one finds free. */
  #turn(): string | undefined {
    for (const caller of this.#waiting.keys()) {
      const share = this.#waiting.size > 1 ? maxMadeOfCaller : maxMade - 1;
      if ((this.#madeOf.get(caller) ?? 0) < share) return caller;
    }
    return undefined;
  }

  /** Counts an answer that is on its way, until the result is called. Cuts others, or this one, where there is too much. */
  send(unread: Unread): () => void {
    this.#unread.add(unread);
    this.#unreadBytes += unread.bytes;
    while (this.#unreadBytes > maxUnreadBytes && this.#unread.size > 1) this.#cutOne();
    return () => this.#sent(unread);
  }

  #sent(unread: Unread): void {
    if (this.#unread.delete(unread)) this.#unreadBytes -= unread.bytes;
  }

  #cutOne(): void {
    const bytesOf = new Map<string, number>();
    for (const { caller, bytes } of this.#unread) bytesOf.set(caller, (bytesOf.get(caller) ?? 0) + bytes);
    const most = Math.max(...bytesOf.values());
    for (const unread of this.#unread) {
      if (bytesOf.get(unread.caller) !== most) continue;
      this.#sent(unread);
      unread.cut();
      return;
    }
  }
}

/** What answers are limited with. */
interface AnswerParts {
  readonly answers: AnswerPlaces;
  readonly log: ApiLog;
}

/** Who asks: credentials, or without any the address. */
export function callerOf(request: FastifyRequest): string {
  return request.principal?.id ?? request.ip;
}

/**
 * Waits for a place to make the answer of this request, which is given back once the answer is written or the client has gone. See
 * {@link AnswerPlaces.enter}.
 */
export function placeFor(
  { answers }: AnswerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  isCounted = false,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = answers.enter(callerOf(request), resolve, isCounted);
    reply.raw.once('close', () => {
      leave();
      // A handler that waits must end, whatever it does then.
      reject(new ApiError('overloaded'));
    });
    leaves.set(reply, leave);
  });
}

/** The places of answers in the making. */
const leaves = new WeakMap<FastifyReply, () => void>();

/** The answer is made: the place is free, and what is sent counts until its reader has it. */
export function answerMade(
  { answers, log }: AnswerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): void {
  leaves.get(reply)?.();
  if (typeof payload !== 'string') return;
  const bytes = payload.length;
  const cut = (): void => {
    log.log('warn', 'slow reader cut off: too much waits to be read', { requestId: request.id, bytes });
    reply.raw.destroy();
  };
  const sent = answers.send({ caller: callerOf(request), bytes, cut });
  reply.raw.once('close', sent).once('finish', sent);
  reply.raw.setTimeout(stalledMillis, () => reply.raw.destroy());
}

/** Lets the answers of such routes, registered from now on, wait for a place. */
export function limitAnswers(server: FastifyInstance, parts: AnswerParts): void {
  server.addHook('onRoute', (route: RouteOptions) => {
    if (route.method !== 'GET' || !/^\/(?:workflows|sagas|audit)(?:\/|$)/.test(route.url)) return;
    if (route.url.endsWith('/events')) return;
    route.preHandler = (request, reply) => placeFor(parts, request, reply);
    route.onSend = (request, reply, payload, done) => {
      answerMade(parts, request, reply, payload);
      done(null, payload);
    };
  });
}
