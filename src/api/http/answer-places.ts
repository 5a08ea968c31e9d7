import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { ApiError, type ApiLog } from './failure.ts';

/** Answers produced at once. One thread produces them; more would only hold memory while the store reads. */
const maxMade = 4;

/** Answers produced at once for one caller while others wait. */
const maxMadeOfCaller = 2;

/** Waiting requests per caller. Each costs little; further ones are answered 503. */
const maxWaiting = 200;

/** Bytes of finished answers that clients have not read yet. */
const maxUnreadBytes = 64 * 1024 * 1024;

/** A client that reads nothing for this long is disconnected. */
const stalledMillis = 60_000;

/** Gives a waiting request its place. */
type Waiting = () => void;

/** An answer being sent. */
interface Unread {
  readonly caller: string;
  readonly bytes: number;
  readonly cut: () => void;
}

/**
 * Limits answers that may be large (lists, histories, documents). A page ends at 4 MiB of stored text and takes several
 * times as much memory while it is read, masked and serialised; a hundred at once would exhaust the process.
 *
 * Guarantees: at most {@link maxMade} answers are produced at once, callers take turns, and no caller waits behind
 * another one's queue. At most {@link maxUnreadBytes} of finished answers wait for their clients; above that, the
 * oldest connection of the caller with the most bytes is cut. Finished answers wake the waiting ones. Needs no stop,
 * since requests end.
 */
export class AnswerPlaces {
  #made = 0;
  readonly #madeOf = new Map<string, number>();
  /** Waiting requests by caller, in the order of their turns. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** Answers being sent, oldest first. */
  readonly #unread = new Set<Unread>();
  #unreadBytes = 0;

  /** Answers being produced, waiting requests, and unread bytes. */
  get counts(): { readonly made: number; readonly waiting: number; readonly unreadBytes: number } {
    let waiting = 0;
    for (const queue of this.#waiting.values()) waiting += queue.length;
    return { made: this.#made, waiting, unreadBytes: this.#unreadBytes };
  }

  /**
   * Calls `go` once there is a place, possibly at once. The result frees the place or ends the wait; a second call does
   * nothing.
   *
   * `isCounted`: another limit already bounds such requests, so this one waits however many others do.
   *
   * @throws ApiError `overloaded` if the caller has too many waiting requests.
   */
  enter(caller: string, go: () => void, isCounted = false): () => void {
    if (this.#waiting.size === 0 && this.#made < maxMade && (this.#madeOf.get(caller) ?? 0) < maxMade - 1) {
      this.#come(caller);
      go();
      let isIn = true;
      return () => {
        if (isIn) this.#leave(caller);
        isIn = false;
      };
    }
    const queue = this.#waiting.get(caller) ?? [];
    if (!isCounted && queue.length >= maxWaiting) throw new ApiError('overloaded');
    let phase: 'waiting' | 'in' | 'out' = 'waiting';
    const resume = (): void => {
      phase = 'in';
      this.#come(caller);
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

  #come(caller: string): void {
    this.#made++;
    this.#madeOf.set(caller, (this.#madeOf.get(caller) ?? 0) + 1);
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
      // Moves the caller behind all others.
      this.#waiting.delete(caller);
      if (queue.length > 0) this.#waiting.set(caller, queue);
      resume?.();
    }
  }

  /**
   * The caller whose turn it is. A caller that waits alone may take all places but one, which stays free for the next
   * caller.
   */
  #turn(): string | undefined {
    for (const caller of this.#waiting.keys()) {
      const share = this.#waiting.size > 1 ? maxMadeOfCaller : maxMade - 1;
      if ((this.#madeOf.get(caller) ?? 0) < share) return caller;
    }
    return undefined;
  }

  /** Counts an answer until the result is called. Above the limit, cuts other answers or this one. */
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

/** Dependencies of the limit. */
interface AnswerParts {
  readonly answers: AnswerPlaces;
  readonly log: ApiLog;
}

/** Identifies the caller by its credentials, else by its address. */
export function callerOf(request: FastifyRequest): string {
  return request.principal?.id ?? request.ip;
}

declare module 'fastify' {
  interface FastifyReply {
    /** Frees the place of the answer that is being produced. */
    leavePlace: (() => void) | null;
  }
}

/**
 * Waits for a place to produce this request's answer. The place is freed once the answer is finished or the client
 * disconnects. See {@link AnswerPlaces.enter}.
 */
export function placeFor(
  parts: AnswerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  isCounted = false,
): Promise<void> {
  return new Promise((resolve, reject) => {
    enterPlace(parts, request, reply, (error) => (error === undefined ? resolve() : reject(error)), isCounted);
  });
}

/** Calls `done` once, possibly at once: with the place, or with an error if the client goes before there is one. */
function enterPlace(
  { answers }: AnswerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
  isCounted = false,
): void {
  let phase: 'entering' | 'waiting' | 'in' = 'entering';
  const leave = answers.enter(
    callerOf(request),
    () => {
      const wasWaiting = phase === 'waiting';
      phase = 'in';
      if (wasWaiting) done();
    },
    isCounted,
  );
  reply.leavePlace = leave;
  reply.raw.once('close', () => {
    leave();
    // Resumes a waiting handler, so that it ends.
    if (phase === 'waiting') done(new ApiError('overloaded'));
  });
  if (isIn(phase)) done();
  else phase = 'waiting';
}

/** The compiler does not know that the phase may have changed during the call that was given the function. */
function isIn(phase: string): boolean {
  return phase === 'in';
}

/** Frees the place of a finished answer, and counts its bytes until the client has read them. */
export function answerMade(
  { answers, log }: AnswerParts,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): void {
  reply.leavePlace?.();
  if (typeof payload !== 'string') return;
  const { raw } = reply;
  const bytes = payload.length;
  const cut = (): void => {
    log.log('warn', 'slow reader cut off: too much waits to be read', { requestId: request.id, bytes });
    raw.destroy();
  };
  const sent = answers.send({ caller: callerOf(request), bytes, cut });
  raw.once('close', sent).once('finish', sent);
  // The system takes most answers at once, and these need no timer.
  setImmediate(() => {
    if (!raw.writableFinished && !raw.destroyed) raw.setTimeout(stalledMillis, () => raw.destroy());
  });
}

/** Limits the large answers of routes registered after this call. */
export function limitAnswers(server: FastifyInstance, parts: AnswerParts): void {
  server.decorateReply('leavePlace', null);
  server.addHook('onRoute', (route: RouteOptions) => {
    if (route.method !== 'GET' || !/^\/(?:workflows|sagas|audit)(?:\/|$)/.test(route.url)) return;
    if (route.url.endsWith('/events')) return;
    route.preHandler = (request, reply, done) => enterPlace(parts, request, reply, done);
    route.onSend = (request, reply, payload, done) => {
      answerMade(parts, request, reply, payload);
      done(null, payload);
    };
  });
}
