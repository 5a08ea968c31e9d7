import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest, type RouteOptions } from 'fastify';
import * as shape from './documents/schema.ts';
import type { Schema } from './documents/schema.ts';
import type { Store } from '../ports/store.ts';
import type { AppContext } from '../app/context.ts';
import { addressesWithin } from '../security/addresses.ts';
import type { Authenticator } from '../security/authenticator.ts';
import { AnswerPlaces, limitAnswers } from './http/answer-places.ts';
import { Audit } from './audit.ts';
import { apiRoutes } from './api-routes.ts';
import { addGate, type AuthRejection } from './authentication.ts';
import { CallbackLimits } from './http/callback-limits.ts';
import { answerClientError } from './http/client-errors.ts';
import type { ApiContext } from './context.ts';
import { errorRegistry } from './error-registry.ts';
import { type ApiLog, errorHandler, sendError } from './http/failure.ts';
import { answerExpectations, readJsonBodies } from './http/json-requests.ts';
import { LingeringCloses } from './http/lingering-closes.ts';
import { measureWork } from './http/long-turns.ts';
import { OpenRequests } from './http/open-requests.ts';
import { type DocumentedRoute, openApiDocument } from './documents/openapi.ts';
import { withoutBase } from './base-path.ts';
import { addressOf, headerOf } from './parameters.ts';
import { type GuardPolicy, type GuardRefusal, RequestGuard } from './http/request-guard.ts';
import { appFor } from './request-store.ts';
import { type Installation, unknownInstallation } from './installation.ts';
import type { UiFiles } from './http/ui-files.ts';
import { type Health, operationRoutes } from './routes/operations.ts';
import type { ServerTls } from './http/server-tls.ts';
import { compileValidator } from './validation.ts';

/** Parts and options of the server. */
export interface ServerOptions {
  readonly app: AppContext;
  readonly auditLog: Pick<Store, 'appendAudit' | 'listAudit'>;
  readonly health: Health;
  readonly log: ApiLog;
  /** The product's version, for the OpenAPI document. */
  readonly version: string;
  /** JSON Schema of definitions. */
  readonly definitionSchema: object;
  /** Restricts the requests answered without authentication; absent: no restriction. */
  readonly guard?: GuardPolicy | undefined;
  /** False: serves health and metrics only. Default true. */
  readonly servesApi?: boolean;
  /** A path prefix, without a slash at its end, below which everything is served as well as at the root. */
  readonly basePath?: string | undefined;
  /** Files of the web UI; absent: it is not served. */
  readonly ui?: UiFiles | undefined;
  readonly metrics?: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly tls?: ServerTls;
  /**
   * Called for every answer. `route` is the route's template, or `''` without a route; `traceparent` is the header as
   * received. Must not throw.
   */
  readonly observe?: (
    method: string,
    route: string,
    status: number,
    millis: number,
    traceparent: string | undefined,
  ) => void;
  /**
   * Called with method, route template and duration of each uninterrupted piece of work for a request that takes at
   * least `fromMillis`. Must not throw.
   */
  readonly worked?: { readonly fromMillis: number; readonly report: (route: string, millis: number) => void };
  /** Checks credentials; absent: every caller may do everything. */
  readonly authenticator?: Authenticator;
  /** Whether metrics need no credentials; default true. */
  readonly isMetricsPublic?: boolean;
  /** Called for every request refused for its credentials or origin. Must not throw. */
  readonly onRejected?: (reason: AuthRejection) => void;
  /** Addresses and networks of proxies whose X-Forwarded-For is trusted. */
  readonly trustedProxies?: readonly string[];
  readonly limits?: Partial<ServerLimits>;
  /** What callers may know of the installation. */
  readonly installation?: Installation;
}

/** Limits of the server. */
export interface ServerLimits {
  /** Bytes of a request body; default 1 MiB. */
  readonly maxRequestBytes: number;
  /** Bytes of a request line and its headers; default 16 KiB. */
  readonly maxHeaderBytes: number;
  /** Open event and wait requests; default 1000. */
  readonly maxOpenRequests: number;
  /** Open event and wait requests of one caller; default half of all. */
  readonly maxOpenRequestsPerCaller?: number | undefined;
  /** Time limit for receiving a request, in milliseconds; default 30 s. */
  readonly requestTimeoutMillis: number;
  /**
   * Keep-alive time of an idle connection, in milliseconds; default 72 s, longer than that of common load balancers.
   */
  readonly keepAliveMillis: number;
  /** Callbacks per second and execution; default 100. Bursts of ten times as many are allowed. */
  readonly callbacksPerExecution: number;
  /** Callbacks per second and address; default 5000. Bursts of ten times as many are allowed. */
  readonly callbacksPerAddress: number;
}

const defaultLimits: ServerLimits = {
  maxRequestBytes: 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxOpenRequests: 1000,
  requestTimeoutMillis: 30_000,
  keepAliveMillis: 72_000,
  callbacksPerExecution: 100,
  callbacksPerAddress: 5000,
};

/** Interval at which a closing server closes connections that have become idle. */
const closingSweepMillis = 50;

/**
 * Without both of these Fastify loads two compilers of its own, which take several MiB. No route has a schema for its
 * answers. The types ask for Ajv's own signature.
 */
const compilersFactory = {
  buildValidator: () => compileValidator,
  buildSerializer: () => () => JSON.stringify,
} as object;

/** Characters of one path parameter: a callback token is the longest. */
const maxParameterLength = 4096;

/**
 * Builds the HTTP server: Fastify with strict schemas, JSON that keeps its digits, one error model, and few hooks on
 * the hot path. `listen` and `close` are Fastify's. `close` ends waits and event streams, completes requests under way
 * and then closes connections; requests that arrive in the meantime are answered 503.
 */
export function createServer(options: ServerOptions): FastifyInstance {
  const limits = { ...defaultLimits, ...options.limits };
  const { log } = options;
  const http = { maxHeaderSize: limits.maxHeaderBytes, headersTimeout: limits.requestTimeoutMillis };
  const { key, cert, ca } = options.tls ?? {};
  const closes = new LingeringCloses();
  const server = fastify({
    ...(key === undefined || cert === undefined
      ? { http }
      : // The types know one kind of server; both behave alike here.
        ({ https: { ...http, key, cert, ...(ca !== undefined && { ca, requestCert: true }) } } as object)),
    ...(options.trustedProxies !== undefined &&
      options.trustedProxies.length > 0 && { trustProxy: addressesWithin(options.trustedProxies) }),
    ...(options.basePath !== undefined && { rewriteUrl: withoutBase(options.basePath) }),
    logger: false,
    bodyLimit: limits.maxRequestBytes,
    requestTimeout: limits.requestTimeoutMillis,
    keepAliveTimeout: limits.keepAliveMillis,
    requestIdHeader: false,
    genReqId: requestIds(),
    exposeHeadRoutes: false,
    // The onRequest hook answers these, in the API's error model.
    return503OnClosing: false,
    routerOptions: { maxParamLength: maxParameterLength },
    schemaController: { compilersFactory },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, closes),
    // Runs before every hook.
    frameworkErrors: (error, request, reply) => {
      setCommonHeaders(request, reply);
      errorHandler(log)(error, request, reply);
    },
  }) as unknown as FastifyInstance;

  const { maxOpenRequests, maxOpenRequestsPerCaller = Math.ceil(maxOpenRequests / 2) } = limits;
  const open = new OpenRequests(maxOpenRequests, maxOpenRequestsPerCaller);
  const { app, auditLog } = options;
  const rates = { perExecution: limits.callbacksPerExecution, perAddress: limits.callbacksPerAddress };
  const api: ApiContext = {
    app,
    appFor: (request) => appFor(app, request.principal),
    audit: new Audit(app, auditLog),
    callbackLimits: new CallbackLimits(rates, () => app.clock.monotonic()),
    open,
    answers: new AnswerPlaces(),
    log,
  };

  server.decorate('closes', closes);
  server.decorate('masked', (sentences) => app.masker.json(sentences) as string[]);
  server.setErrorHandler(errorHandler(log));
  server.setNotFoundHandler((_request, reply) => {
    sendError(reply, 'unknown_route', [errorRegistry.unknown_route.meaning]);
  });
  const { fromMillis = Infinity, report = () => undefined } = options.worked ?? {};
  measureWork(server, fromMillis, report);
  readJsonBodies(server, limits.maxRequestBytes);
  answerExpectations(server, limits.maxRequestBytes);
  addHooks(server, options, open);
  const { authenticator, onRejected, isMetricsPublic = true } = options;
  addGate(server, { authenticator, isMetricsPublic, log, onRejected });
  limitAnswers(server, api);
  const routes = documentRoutes(server);
  refuseUnknownQueries(server);

  const definition = options.definitionSchema as Schema;
  const { servesApi = true } = options;
  if (servesApi) {
    apiRoutes(server, api, {
      definition,
      auditLog,
      version: options.version,
      isProtected: authenticator !== undefined,
      installation: options.installation ?? unknownInstallation,
      ...(options.ui !== undefined && { ui: options.ui }),
    });
  }
  let document: string | undefined;
  operationRoutes(server, {
    health: options.health,
    ...(options.metrics !== undefined && { metrics: options.metrics }),
    ...(servesApi && {
      description: {
        openApi: () => (document ??= JSON.stringify(openApiDocument(routes, { version: options.version, definition }))),
        definitionSchema: JSON.stringify(definition),
      },
    }),
  });
  return server;
}

/** Creates ids that are unique across processes. Uses a client's own id if it is harmless. */
function requestIds(): (request: { readonly headers: IncomingMessage['headers'] }) => string {
  const prefix = randomBytes(6).toString('base64url');
  let count = 0;
  return ({ headers }) => {
    const given = headers['x-request-id'];
    return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : `${prefix}-${(++count).toString(36)}`;
  };
}

function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id);
  reply.header('x-content-type-options', 'nosniff');
  reply.header('cache-control', 'no-store');
  reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
}

function addHooks(server: FastifyInstance, options: ServerOptions, open: OpenRequests): void {
  const { guard: policy, observe, log } = options;
  const guard = policy === undefined ? undefined : new RequestGuard(policy);
  // Scrapers in a network address processes by IP, and DNS rebinding cannot imitate an IP address.
  const metricsByAddress = policy?.refusesProxies === false;
  const isObserved = observe !== undefined || log.logs('debug');
  let closing = false;
  server.decorateRequest('place', null as never);
  server.addHook('onRequest', (request, reply, done) => {
    request.place = request.routeOptions.config;
    if (isObserved) observeEnd(request, reply, options);
    setCommonHeaders(request, reply);
    if (closing) {
      sendError(reply.header('connection', 'close'), 'shutting_down', [errorRegistry.shutting_down.meaning]);
      return;
    }
    const needs = request.place.access?.needs;
    if (guard !== undefined && needs !== 'nothing' && needs !== 'token') {
      const refusal = guard.refusalOf(request.raw, metricsByAddress && needs === 'metrics');
      if (refusal !== undefined) {
        refuseGuarded(request, reply, refusal, options);
        return;
      }
    }
    done();
  });
  let sweep: NodeJS.Timeout | undefined;
  server.addHook('preClose', (done) => {
    closing = true;
    open.stop();
    server.closes.stop();
    // Node closes only the connections that are idle when it begins to close. Others would delay it for their
    // keep-alive time.
    sweep = setInterval(() => server.server.closeIdleConnections(), closingSweepMillis);
    done();
  });
  server.addHook('onClose', (_server, done) => {
    clearInterval(sweep);
    done();
  });
}

/**
 * Reports the answer of a request once it is written or has failed. A hook `onResponse` of Fastify would cost two
 * listeners that are removed again, and the options of the route a second time.
 */
function observeEnd(request: FastifyRequest, reply: FastifyReply, { observe, log }: ServerOptions): void {
  const begun = performance.now();
  let isOver = false;
  const ended = (): void => {
    if (isOver) return;
    isOver = true;
    const { method } = request;
    const route = request.place.url ?? '';
    const status = reply.raw.statusCode;
    observe?.(method, route, status, performance.now() - begun, headerOf(request.headers, 'traceparent'));
    if (log.logs('debug')) log.log('debug', 'request', { requestId: request.id, method, route, status });
  };
  reply.raw.on('finish', ended).on('error', ended);
}

function refuseGuarded(
  request: FastifyRequest,
  reply: FastifyReply,
  { reason, sentence }: GuardRefusal,
  { log, onRejected }: ServerOptions,
): void {
  onRejected?.(reason);
  // Any client can cause this at will, so it must not fill the log.
  if (log.logs('debug')) {
    const { id: requestId, method, place } = request;
    log.log('debug', 'request refused', {
      requestId,
      reason,
      address: addressOf(request),
      method,
      route: place.url,
    });
  }
  sendError(reply, 'loopback_only', [sentence]);
}

/** The query schema of a route without parameters. */
const noQuery = shape.object({}, { additionalProperties: false });

/** Routes for probes, scrapers and links: intermediaries add parameters to their URLs, which are ignored. */
const mayHaveAnyQuery: ReadonlySet<string | undefined> = new Set(['nothing', 'page', 'token', 'metrics']);

/** Refuses queries on routes without parameters; other routes already refuse unknown parameters. */
function refuseUnknownQueries(server: FastifyInstance): void {
  server.addHook('onRoute', (route: RouteOptions) => {
    if (mayHaveAnyQuery.has(route.config?.access?.needs)) return;
    route.schema = { querystring: noQuery, ...route.schema };
  });
}

/** Collects routes for the OpenAPI document as they are registered, without the alias `/sagas`. */
function documentRoutes(server: FastifyInstance): readonly DocumentedRoute[] {
  const routes: DocumentedRoute[] = [];
  server.addHook('onRoute', (route: RouteOptions) => {
    const { documentation, access } = route.config ?? {};
    if (
      documentation === undefined ||
      access === undefined ||
      route.method === 'HEAD' ||
      route.url.startsWith('/sagas')
    )
      return;
    const { body, querystring, params } = route.schema ?? {};
    routes.push({ method: String(route.method), url: route.url, documentation, access, body, querystring, params });
  });
  return routes;
}
