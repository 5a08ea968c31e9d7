import type { FastifyRequest } from 'fastify';
import { callerOf } from './answer-places.ts';
import { ApiError } from './failure.ts';

/** A place among the open requests; `signal` aborts when the server stops or the client has gone. */
export interface OpenRequest {
  readonly signal: AbortSignal;
  /** The client has gone. */
  abort(): void;
  /** Gives the place back; a second call does nothing. */
  release(): void;
}

/** Why there is no place: all are taken (or the server stops), or the caller has used its share. */
export type NoPlace = 'server' | 'caller';

/**
 * Requests that stay open (waits, event streams): bounded in total and per caller, and aborted when the server stops.
 */
export class OpenRequests {
  readonly #limit: number;
  readonly #share: number;
  readonly #open = new Set<AbortController>();
  /** How many each caller has; callers without any are not in it. */
  readonly #counts = new Map<string, number>();
  #stopped = false;

  /** `limit` places, at least 1, of which a caller has at most `share`. */
  constructor(limit: number, share: number = limit) {
    this.#limit = limit;
    this.#share = share;
  }

  /** A place for this caller, or why there is none. */
  take(caller: string): OpenRequest | NoPlace {
    if (this.#stopped || this.#open.size >= this.#limit) return 'server';
    const count = this.#counts.get(caller) ?? 0;
    if (count >= this.#share) return 'caller';
    this.#counts.set(caller, count + 1);
    const controller = new AbortController();
    this.#open.add(controller);
    return {
      signal: controller.signal,
      abort: () => controller.abort(),
      release: () => {
        if (this.#open.delete(controller)) this.#leave(caller);
      },
    };
  }

  #leave(caller: string): void {
    const left = (this.#counts.get(caller) ?? 1) - 1;
    if (left === 0) this.#counts.delete(caller);
    else this.#counts.set(caller, left);
  }

  /** Aborts all, and takes no more. */
  stop(): void {
    this.#stopped = true;
    for (const controller of this.#open) controller.abort();
  }
}

/**
 * A place for this request.
 *
 * @throws ApiError `too_many_waiting` when there is none.
 */
export function openPlace({ open }: { readonly open: OpenRequests }, request: FastifyRequest): OpenRequest {
  const place = open.take(callerOf(request));
  if (place === 'server') throw new ApiError('too_many_waiting');
  if (place !== 'caller') return place;
  throw new ApiError(
    'too_many_waiting',
    'This caller has its share of the requests that may wait or follow events (security.limits.maxOpenRequestsPerCaller).',
  );
}
