import type { FastifyRequest } from 'fastify';
import { callerOf } from './answer-places.ts';
import { ApiError } from './failure.ts';

/** A place among the open requests. `signal` aborts when the server stops or the client disconnects. */
export interface OpenRequest {
  readonly signal: AbortSignal;
  /** Call it when the client has disconnected. */
  abort(): void;
  /** Frees the place; a second call does nothing. */
  release(): void;
}

/** Why there is no place: all are taken (or the server is stopping), or the caller has used its share. */
export type NoPlace = 'server' | 'caller';

/**
 * Bounds requests that stay open (waits, event streams), in total and per caller, and aborts them when the server
 * stops.
 */
export class OpenRequests {
  readonly #limit: number;
  readonly #share: number;
  readonly #open = new Set<AbortController>();
  /** Open requests per caller; without callers that have none. */
  readonly #counts = new Map<string, number>();
  #stopped = false;

  /** `limit` places, at least 1; a caller gets at most `share` of them. */
  constructor(limit: number, share: number = limit) {
    this.#limit = limit;
    this.#share = share;
  }

  /** Takes a place for this caller, or returns why there is none. */
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

  /** Aborts all open requests, and accepts no more. */
  stop(): void {
    this.#stopped = true;
    for (const controller of this.#open) controller.abort();
  }
}

/**
 * Takes a place for this request.
 *
 * @throws ApiError `too_many_waiting` if there is none.
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
