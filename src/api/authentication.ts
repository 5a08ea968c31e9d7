import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { Authentication, Authenticator } from '../security/authenticator.ts';
import type { Principal } from '../security/principal.ts';
import { allows, isRole } from '../security/roles.ts';
import type { ErrorCode } from './error-registry.ts';
import { errorRegistry } from './error-registry.ts';
import { type ApiLog, sendError } from './http/failure.ts';
import { addressOf } from './parameters.ts';
import type { GuardRefusal } from './http/request-guard.ts';
import { type Access, accessOf } from './route-access.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** From the access table; set for every route. */
    readonly access?: Access;
  }
  interface FastifyRequest {
    /** Null without authentication, and on routes that need no credentials. */
    principal: Principal | null;
    /**
     * What is known of the route, set when the request arrives. `url` is its template, absent without a route. The
     * property `routeOptions` of Fastify makes a new object at each use.
     */
    place: FastifyContextConfig & { readonly url?: string };
  }
}

/** Why a request was refused for its credentials or origin; the values of the `reason` label of `saga_auth_rejected_total`. */
export type AuthRejection = Exclude<Authentication['kind'], 'known'> | 'forbidden' | GuardRefusal['reason'];

/** Options of {@link addGate}. */
export interface GateOptions {
  /** Absent: every caller may do everything. */
  readonly authenticator?: Authenticator | undefined;
  readonly isMetricsPublic: boolean;
  readonly log: ApiLog;
  /** Called for every rejection. Must not throw. */
  readonly onRejected?: ((reason: AuthRejection) => void) | undefined;
}

/**
 * Authenticates and authorises the caller of every route registered after this call. The gate runs before a body is
 * read or anything is looked up, so that a caller without permission learns neither which ids exist nor what else is
 * wrong with the request. The answer to wrong credentials does not reveal what is wrong with them.
 */
export function addGate(server: FastifyInstance, options: GateOptions): void {
  server.decorateRequest('principal', null);
  server.addHook('onRoute', (route: RouteOptions) => {
    route.config = { ...route.config, access: accessOf(String(route.method), route.url) };
  });
  const { authenticator } = options;
  if (authenticator === undefined) return;
  server.addHook('onRequest', (request, reply, done) => {
    const { access = unknownRoute } = request.place;
    if (isOpen(access, options)) {
      done();
      return;
    }
    const found = authenticator.authenticate(request.headers, addressOf(request));
    if (!(found instanceof Promise)) {
      if (judge(request, reply, access, found, options)) done();
      return;
    }
    const judgeLater = async (): Promise<void> => {
      let passes: boolean;
      try {
        passes = judge(request, reply, access, await found, options);
      } catch (error) {
        done(error as Error);
        return;
      }
      if (passes) done();
    };
    void judgeLater();
  });
}

/** Unknown routes need credentials, too, so that callers cannot find out which routes exist. */
const unknownRoute: Access = { needs: 'viewer' };

function isOpen({ needs }: Access, { isMetricsPublic }: GateOptions): boolean {
  return needs === 'nothing' || needs === 'page' || needs === 'token' || (needs === 'metrics' && isMetricsPublic);
}

/** Whether the request may pass; if not, the gate has answered it. */
function judge(
  request: FastifyRequest,
  reply: FastifyReply,
  { needs, isWhole }: Access,
  found: Authentication,
  options: GateOptions,
): boolean {
  const reject = (reason: AuthRejection, code: ErrorCode, sentence = errorRegistry[code].meaning): false => {
    options.onRejected?.(reason);
    // Any client can cause these rejections at will, so they must not fill the log.
    const level = reason === 'limited' || reason === 'missing' ? 'debug' : 'warn';
    options.log.log(level, 'request refused', {
      requestId: request.id,
      reason,
      address: addressOf(request),
      method: request.method,
      route: request.place.url,
      principal: request.principal?.id,
    });
    sendError(reply, code, [sentence]);
    return false;
  };
  // Callers without good credentials learn here how to get some; wrong ones count as elsewhere.
  if (needs === 'session' && (found.kind === 'missing' || found.kind === 'invalid')) return true;
  switch (found.kind) {
    case 'missing':
    case 'invalid':
      reply.header('www-authenticate', 'Bearer realm="trama"');
      return reject(found.kind, 'unauthenticated');
    case 'limited':
      reply.header('retry-after', String(Math.ceil(found.retryAfterMillis / 1000)));
      return reject(found.kind, 'rate_limited');
    case 'unavailable':
      return reject(found.kind, 'auth_unavailable');
    case 'known':
      break;
  }
  const { principal } = found;
  request.principal = principal;
  if (needs === 'session') return true;
  const role = isRole(needs) ? needs : 'viewer';
  if (!allows(principal.roles, role)) return reject('forbidden', 'forbidden', `This needs the role ${role}.`);
  if (isWhole === true && principal.definitions !== undefined) {
    return reject('forbidden', 'forbidden', 'This needs credentials that are not limited to some definitions.');
  }
  return true;
}
