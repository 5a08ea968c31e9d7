/**
 * Servers on loopback and calls to them, for tests of outbound calls. Everything opened is closed after each test.
 */
import { createServer as createHttpServer } from 'node:http';
import type { RequestListener, Server as HttpServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach } from 'vitest';
import { createEgressPolicy } from '../src/http-caller/egress-policy.ts';
import type { EgressPolicy, EgressRules } from '../src/http-caller/egress-policy.ts';
import { UndiciCaller } from '../src/http-caller/undici-caller.ts';
import type { UndiciCallerOptions } from '../src/http-caller/undici-caller.ts';
import type { CallAnswer, CallFailure, CallResponse, HttpCaller, OutboundRequest } from '../src/ports/http-caller.ts';

/** Called after the test, last one first. */
export const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A policy; throws when an entry is wrong. */
export function policyOf(rules: EgressRules): EgressPolicy {
  const made = createEgressPolicy(rules);
  if (!made.ok) throw new Error(made.problems.join('\n'));
  return made.policy;
}

/** A caller that is closed after the test. */
export function callerWith(options: Partial<UndiciCallerOptions> = {}): UndiciCaller {
  const caller = new UndiciCaller({ policy: policyOf({}), userAgent: 'trama/test', ...options });
  closers.push(() => caller.close());
  return caller;
}

/** Listens on a free port of 127.0.0.1. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** An HTTP server. */
export async function httpServer(
  listener: RequestListener,
): Promise<{ url: string; port: number; server: HttpServer }> {
  const server = createHttpServer(listener);
  const port = await listen(server);
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${port}`, port, server };
}

/** A TCP server; gives its port. */
export async function tcpServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => sockets.delete(socket));
    onConnection(socket);
  });
  const port = await listen(server);
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return port;
}

/** A server that does as told with the socket whenever a request's head has come. */
export async function rawServer(onRequest: (socket: Socket) => void): Promise<string> {
  return `http://127.0.0.1:${await tcpServer(onHead(onRequest))}`;
}

/** What a server does with a connection so that it is told of each request's head that has come. */
export function onHead<S extends Socket>(onRequest: (socket: S) => void): (socket: S) => void {
  return (socket) => {
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (!received.includes('\r\n\r\n')) return;
      received = '';
      onRequest(socket);
    });
  };
}

/** A GET with five seconds of time, or what `more` says. */
export function requestTo(url: string, more: Partial<OutboundRequest> = {}): OutboundRequest {
  return { url, verb: 'GET', headers: {}, timeoutMillis: 5000, authorityFromData: false, ...more };
}

/** The answer of a call. */
export function call(caller: HttpCaller, request: OutboundRequest): Promise<CallAnswer> {
  return new Promise((resolve) => {
    caller.start(request, resolve);
  });
}

/** The answer of a call that must be a response. */
export async function respond(caller: HttpCaller, request: OutboundRequest): Promise<CallResponse> {
  const answer = await call(caller, request);
  if (answer.kind !== 'response') throw new Error(`failed: ${answer.error}: ${answer.message}`);
  return answer;
}

/** The answer of a call that must fail. */
export async function fail(caller: HttpCaller, request: OutboundRequest): Promise<CallFailure> {
  const answer = await call(caller, request);
  if (answer.kind !== 'failed') throw new Error(`answered: ${answer.status}`);
  return answer;
}
