import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { stringifyJson, type Json } from '../../core/value/json.ts';
import type { Definitions } from '../../scenario/definitions.ts';
import { Downstream, type PlannedAnswer } from '../../scenario/play/downstream.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import type { RequestGuard } from '../../api/http/request-guard.ts';
import { mayBeCalledBack } from '../server/local-services.ts';
import { findCallbackAddress, type CallbackAddress } from './callback-address.ts';
import { findRoute, routesOf, type MockRoute } from './routes.ts';

/** The behaviour of the mock. */
export interface MockOptions {
  readonly definitions: Definitions;
  readonly scenario: Scenario;
  /** Delay of every answer, in milliseconds, uniform from the first to the second. */
  readonly latencyMillis: readonly [number, number];
  /** The share of calls that fail, whatever the scenario says: from 0 to 1. */
  readonly failureRatio: number;
  readonly failureStatus: number;
  /** Delay of every callback in addition to the latency of the answer, in milliseconds. */
  readonly callbackDelayMillis: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Refuses requests of pages, proxies and other hosts. */
  readonly guard: RequestGuard;
  /** URL of a server that may be called back in addition to listeners on this machine. */
  readonly server?: string | undefined;
  /** Receives one line about every message in either direction. */
  readonly report: (line: string) => void;
}

const host = '127.0.0.1';

/** The mock cuts larger bodies; a definition's request has at most 1 MiB. */
const maxBodyBytes = 4 * 1024 * 1024;

/** Bound of the executions whose answers are counted; the oldest goes first. */
const maxExecutions = 1000;

/** How long the mock holds a call without a time limit that must seem lost. */
const usualTimeoutMillis = 30_000;

/** How much longer than the caller's time limit the mock holds the call, so that the caller gives up first. */
const graceMillis = 5000;

const callbackTries = 4;
const callbackTimeoutMillis = 10_000;

/**
 * A downstream made from a definition: answers all of its calls over HTTP on the loopback interface, with latency and
 * failures, and calls back for async nodes. With a scenario it answers each execution as the scenario says; without
 * one, every call succeeds.
 */
export class MockServer {
  readonly routes: readonly MockRoute[];
  readonly #options: MockOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #executions = new Map<string, Downstream>();
  /** Ends everything that waits. */
  readonly #closing = new AbortController();

  constructor(options: MockOptions) {
    this.#options = options;
    this.routes = routesOf(options.definitions);
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        // The caller has gone away, or the mock is closing: the answer has no receiver.
        if (!this.#closing.signal.aborted) this.#options.report(`lost: ${String(error)}`);
        response.destroy();
      });
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** Listens; 0 takes a free port. Returns the URL. Rejects when the port is taken. */
  listen(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        const address = this.#server.address();
        resolve(`http://${host}:${String(typeof address === 'object' && address !== null ? address.port : port)}`);
      });
    });
  }

  /** Stops at once: breaks off calls under way and drops later callbacks. A second call does the same. */
  close(): Promise<void> {
    this.#closing.abort();
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? '/';
    const [path = '/'] = url.split('?', 1);
    const refusal = this.#options.guard.refusalOf(request);
    if (refusal !== undefined) {
      this.#say(request.method ?? 'GET', url, 403, refusal.sentence);
      // The body is not read.
      answer(response, 403, { error: refusal.sentence }, { connection: 'close' });
      return;
    }
    const headers = oneEach(request);
    const verb = request.method ?? 'GET';
    const body = await readBody(request);
    const route = findRoute(this.routes, { verb, path, headers });
    if (route === undefined) {
      this.#say(verb, url, 404, 'no call of the definition');
      answer(response, 404, { error: `The definition makes no call ${verb} ${path}.` });
      return;
    }
    const execution = headers['trama-execution-id'] ?? '';
    const planned = this.#plan(route, execution);
    const attempt = headers['trama-attempt'] ?? '1';
    const told = attempt === '1' ? route.name : `${route.name}, attempt ${attempt}`;
    const [least, most] = this.#options.latencyMillis;
    const latency = Math.round(least + this.#options.random() * (most - least));
    const to = findCallbackAddress([url, ...Object.values(headers), body]);
    for (const callback of planned.callbacks) {
      const after = callback.afterMillis + latency + this.#options.callbackDelayMillis;
      if (to === undefined) this.#options.report(`${route.name}: finds no callback address in its request`);
      else if (mayBeCalledBack(to.url, this.#options.server)) void this.#callBack(route, to, after, callback.body);
      else
        this.#options.report(
          `${route.name}: does not call back ${originOf(to)}, which is neither this machine nor --url`,
        );
    }
    const wait = planned.afterMillis + latency;
    if (wait > 0) await delay(wait, undefined, { signal: this.#closing.signal });
    this.#respond(response, planned.result, (outcome) => {
      this.#say(verb, url, outcome, told);
    });
  }

  #plan(route: MockRoute, execution: string): PlannedAnswer {
    const { scenario, failureRatio, failureStatus, random } = this.#options;
    if (failureRatio > 0 && random() < failureRatio) {
      const body = { error: 'A failure that was asked for.' };
      const response = { status: failureStatus, headers: { 'content-type': 'application/json' }, body };
      return { afterMillis: 0, result: { kind: 'response', response }, callbacks: [] };
    }
    const downstream = this.#executions.get(execution) ?? new Downstream(scenario);
    this.#executions.delete(execution);
    this.#executions.set(execution, downstream);
    const [oldest] = this.#executions.keys();
    if (this.#executions.size > maxExecutions && oldest !== undefined) this.#executions.delete(oldest);
    const { name, call, isAsync } = route;
    const timeoutMillis = call.timeoutMillis ?? usualTimeoutMillis;
    return downstream.answer({ names: [name], call, isCalledBack: isAsync, timeoutMillis }, Date.now());
  }

  #respond(response: ServerResponse, result: PlannedAnswer['result'], say: (outcome: string | number) => void): void {
    switch (result.kind) {
      case 'response': {
        const { status, headers, body } = result.response;
        say(status);
        answer(response, status, body, headers);
        return;
      }
      case 'unsent':
        // A server cannot refuse a request that has reached it; it can only break off.
        say('broken off');
        response.destroy();
        return;
      case 'failed':
        if (result.error === 'timeout') {
          say('no answer');
          setTimeout(() => response.destroy(), graceMillis).unref();
          return;
        }
        say('broken off within the answer');
        response.writeHead(200, { 'content-length': 1000 }).write('{');
        setImmediate(() => response.destroy());
        return;
      default:
        result satisfies never;
    }
  }

  async #callBack(route: MockRoute, to: CallbackAddress, afterMillis: number, body: Json): Promise<void> {
    const { signal } = this.#closing;
    try {
      await delay(afterMillis, undefined, { signal });
      for (let tries = 1; ; tries++) {
        const status = await post(to, body, signal);
        this.#options.report(`${route.name}: calls back ${stringifyJson(body)} -> ${String(status)}`);
        if (typeof status === 'number' && status < 500) return;
        if (tries === callbackTries) return;
        await delay(250 * tries, undefined, { signal });
      }
    } catch (error) {
      // Only closing ends it: a callback without a receiver is an outcome like any other.
      if (!signal.aborted) throw error;
    }
  }

  #say(verb: string, url: string, outcome: string | number, told: string): void {
    this.#options.report(`${verb} ${url.replaceAll(/trc1\.[\w.-]+/g, '***')} -> ${String(outcome)}  (${told})`);
  }
}

const originOf = ({ url }: CallbackAddress): string => URL.parse(url)?.origin ?? 'what is no URL';

/** The status of the answer, or the reason why there is none. */
async function post(to: CallbackAddress, body: Json, closing: AbortSignal): Promise<number | string> {
  const headers = {
    'content-type': 'application/json',
    ...(to.token === undefined ? undefined : { 'x-callback-token': to.token }),
  };
  const signal = AbortSignal.any([closing, AbortSignal.timeout(callbackTimeoutMillis)]);
  try {
    const response = await fetch(to.url, {
      method: 'POST',
      headers,
      body: stringifyJson(body),
      redirect: 'manual',
      signal,
    });
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    closing.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  }
}

function answer(
  response: ServerResponse,
  status: number,
  body: Json,
  headers: Readonly<Record<string, string>> = {},
): void {
  const isBodiless = status === 204 || status === 304;
  const text = isBodiless || body === null ? '' : typeof body === 'string' ? body : stringifyJson(body);
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text);
}

function oneEach(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new Error(`A request has more than ${String(maxBodyBytes)} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
