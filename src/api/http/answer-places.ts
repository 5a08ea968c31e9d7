import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { ApiError, type ApiLog } from './failure.ts';

/** Answers in the making at once. One thread makes them; more than a few would only hold memory while the store reads. */
const maxMade = 4;

/** Answers in the making for one caller at most while others wait. */
const maxMadeOfCaller = 2;

/** Waiting requests of one caller at most: each costs little, and further ones are answered 503. */
const maxWaiting = 200;

/** Bytes of printed answers that readers have not taken yet. */
const maxUnreadBytes = 64 * 1024 * 1024;

/** A reader that takes nothing for this long is cut off. */
const stalledMillis = 60_000;

/** A waiting request; resumed once it has a place. */
type Waiting = () => void;

/** An answer on its way out. */
interface Unread {
  readonly caller: string;
  readonly bytes: number;
  readonly cut: () => void;
}

/**
 * Limits answers that may be large (lists, histories, documents): few are made at a time, and unread bytes of slow readers are bounded. A page ends
 * at 4 MiB of stored text, and takes several times as much memory while it is read, masked and printed: a hundred at a time
 * would end the process.
 *
 * Guarantees: at most {@link maxMade} are in the making, the callers take turns, and no caller waits behind another one's queue.
 * At most {@link maxUnreadBytes} of printed answers wait for their readers; beyond that, the oldest connection of the caller with
 * the most is cut. Woken by finished answers; needs no stop, since requests end.
 */
export class AnswerPlaces {
  #made = 0;
  readonly #madeOf = new Map<string, number>();
  /** By caller, in the order of their turns. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** In the order in which they began. */
  readonly #unread = new Set<Unread>();
  #unreadBytes = 0;

  /** Answers in the making, waiting requests, and unread bytes. */
  get counts(): { readonly made: number; readonly waiting: number; readonly unreadBytes: number } {
    let waiting = 0;
    for (const queue of this.#waiting.values()) waiting += queue.length;
    return { made: this.#made, waiting, unreadBytes: this.#unreadBytes };
  }

  /**
   * Calls `go` once there is a place, possibly at once. The result gives the place back or ends the wait; a second call does nothing.
   *
   * `isCounted`: the number of such requests is already bounded, so this one waits regardless of how many others do.
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

  /** The caller whose turn it is. A caller waiting alone may take every place but one, which stays free for the next caller. */
  #turn(): string | undefined {
    for (const caller of this.#waiting.keys()) {
      const share = this.#waiting.size > 1 ? maxMadeOfCaller : maxMade - 1;
      if ((this.#madeOf.get(caller) ?? 0) < share) return caller;
    }
    return undefined;
  }

  /** Counts an answer being sent until the result is called. Cuts others, or this one, above the limit. */
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

/** What limiting answers needs. */
interface AnswerParts {
  readonly answers: AnswerPlaces;
  readonly log: ApiLog;
}

/** The caller: its credentials, or without any its address. */
export function callerOf(request: FastifyRequest): string {
  return request.principal?.id ?? request.ip;
}

/**
 * Waits for a place to make this request's answer; the place is returned once the answer is written or the client has gone. See
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
      // Resumes a waiting handler, so that it ends.
      reject(new ApiError('overloaded'));
    });
    leaves.set(reply, leave);
  });
}

/** The places of answers in the making. */
const leaves = new WeakMap<FastifyReply, () => void>();

/** Frees the place of a finished answer, and counts its bytes until its reader has them. */
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

/** Makes large answers of routes registered from now on wait for a place. */
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
