import { parseJson, type Json } from '../../src/core/value/json.ts';
import type { CallAnswer, CallError, CallHandle, HttpCaller, OutboundRequest } from '../../src/ports/http-caller.ts';
import type { Random } from '../random.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Arrival, Downstreams, Reply } from '../downstreams.ts';
import type { ProcessClock } from '../process-clock.ts';

/** A call as it leaves a process. */
export interface Departure extends Arrival {
  readonly executionId: string;
  readonly nodeId: string;
  readonly attempt: number;
}

/** What the result of a call says about its host. */
export type CallVerdict = 'answered' | 'failed' | 'neutral';

/** What an HTTP link needs. */
export interface HttpLinkParts {
  readonly clock: VirtualClock;
  readonly process: ProcessClock;
  readonly random: Random;
  readonly downstreams: Downstreams;
  /** Probability that a connection to the host fails. */
  readonly refused: (host: string) => number;
  /** Called for every call before any part of it leaves. */
  readonly departing: (departure: Departure) => void;
  /** Called for every call that has ended for its process, which learns of its end or no longer waits. */
  readonly ended: (departure: Departure, verdict: CallVerdict) => void;
}

/** The outbound calls of one process: the way to the downstreams and back. */
export class HttpLink implements HttpCaller {
  readonly #parts: HttpLinkParts;

  constructor(parts: HttpLinkParts) {
    this.#parts = parts;
  }

  start(request: OutboundRequest, done: (answer: CallAnswer) => void): CallHandle {
    const { clock, process, random, downstreams, refused, departing, ended } = this.#parts;
    const begun = clock.monotonic();
    const departure = departureOf(request);
    departing(departure);
    let isOpen = true;
    const settle = (answer: (latencyMillis: number) => CallAnswer): void => {
      process.deliver(() => {
        if (!isOpen) return;
        isOpen = false;
        timer.cancel();
        const told = answer(clock.monotonic() - begun);
        ended(departure, verdictOf(told));
        done(told);
      });
    };
    const fail = (error: CallError, sent: boolean): void =>
      settle((latencyMillis) => ({ kind: 'failed', error, sent, message: `It failed: ${error}.`, latencyMillis }));
    const timer = process.after(request.timeoutMillis, () => fail('timeout', true));
    if (random.chance(refused(departure.host))) {
      clock.after(1, () => fail('connect', false));
      return { abort: () => clock.after(0, () => fail('aborted', false)) };
    }
    clock.after(random.int(0, 3), () => {
      // A process that dies may lose a request that it has just begun to send.
      if (process.isDead && random.chance(0.5)) return;
      downstreams.receive(departure, (reply) => {
        if (reply.kind === 'broken') fail('connect', true);
        else if (reply.kind === 'cut') fail('body', true);
        else if (reply.kind === 'status') settle((latencyMillis) => responseOf(reply, departure, latencyMillis));
      });
    });
    return { abort: () => clock.after(0, () => fail('aborted', true)) };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function departureOf(request: OutboundRequest): Departure {
  const { headers } = request;
  const body = request.body === undefined ? null : parseJson(request.body);
  const callback = isObject(body) ? body['callback'] : undefined;
  const { pathname, hostname } = new URL(request.url);
  return {
    host: hostname,
    path: pathname,
    key: headers['idempotency-key'] ?? '',
    compensates: headers['trama-compensates'],
    callback: typeof callback === 'string' ? callback : undefined,
    executionId: headers['trama-execution-id'] ?? '',
    nodeId: headers['trama-node-id'] ?? '',
    attempt: Number(headers['trama-attempt']),
  };
}

function verdictOf(answer: CallAnswer): CallVerdict {
  if (answer.kind === 'response') return answer.status < 500 ? 'answered' : 'failed';
  return answer.error === 'body' ? 'answered' : answer.error === 'aborted' ? 'neutral' : 'failed';
}

function isObject(value: Json): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function responseOf(reply: Extract<Reply, { kind: 'status' }>, { key }: Departure, latencyMillis: number): CallAnswer {
  const body = JSON.stringify({ key });
  return {
    kind: 'response',
    status: reply.status,
    headers: {
      'content-type': 'application/json',
      ...(reply.retryAfterSeconds === undefined ? undefined : { 'retry-after': String(reply.retryAfterSeconds) }),
    },
    body,
    bodyJson: { key },
    latencyMillis,
  };
}
