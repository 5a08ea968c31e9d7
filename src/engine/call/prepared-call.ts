import { hash as digest } from 'node:crypto';
import type { Run } from '../../core/apply.ts';
import { blockedOf, callerOf } from '../../core/call/attempting.ts';
import { type CallResources, prepareCall } from '../../core/call/call.ts';
import type { Resolver } from '../../core/context/context-of.ts';
import type { Outputs } from '../../core/context/outputs.ts';
import type { CallCommand } from '../../core/event.ts';
import type { Meter } from '../../core/meter.ts';
import type { Json } from '../../core/value/json.ts';
import type { Mutable } from '../../core/value/mutable.ts';
import { renderRequest, renderStable } from '../../core/request/render.ts';
import type { CallbackClaims } from '../../ports/callback-token.ts';
import type { Clock } from '../../ports/clock.ts';
import type { OutboundRequest } from '../../ports/http-caller.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { type CallSpan, callSpan, isSampled } from '../execution/execution-spans.ts';
import { type Trace, traceparentOf } from '../trace-context.ts';
import { watchRun } from '../watchdog.ts';
import { credentialsOf } from './auth/credentials.ts';
import { type Bindings, type CallProblem, misplacedSecret, refusedSecret } from './auth/secret-destination.ts';
import type { TokenGrant } from './auth/token-cache.ts';
import type { ExchangeMasker } from './exchange.ts';
import type { GatedCall } from './gate/call-gate.ts';

/** The claims of a callback token. */
export interface CallbackOf extends CallbackClaims {
  /** Id of the signing key. If it is absent or no longer live, the first key signs. */
  readonly keyId?: string | undefined;
}

/** Creates callback addresses; equal claims give equal addresses. */
export interface CallbackIssuer {
  /** Id of the signing key: `used` while it is live, otherwise the first key; undefined if callbacks cannot reach this server. */
  keyFor(used: string | undefined): string | undefined;
  issue(claims: CallbackOf): { readonly url: string; readonly token: string; readonly signedUrl: string };
}

/** Secrets and variables by name. */
export interface Vault extends Bindings {
  secret(name: string): string | undefined;
  variable(name: string): string | undefined;
  /** Masks a value like a secret from now on. Returns a function that removes it from a text. A repeated value is harmless. */
  conceal(value: string): (text: string) => string;
  /** A function that removes every value concealed so far from a text; undefined while there is none. */
  concealed(): ((text: string) => string) | undefined;
}

/** Masks what leaves the process, and what expressions read. */
export interface CallMasker extends ExchangeMasker {
  json(value: Json): Json;
}

/** The dependencies and limits of {@link prepare}. */
export interface PrepareParts {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly vault: Vault;
  readonly callbacks: CallbackIssuer;
  readonly masker: CallMasker;
  /** Total time of a call whose definition sets none, in milliseconds. */
  readonly requestTimeoutMillis: number;
  /** Longest total time of any call, in milliseconds. A definition may have been stored under a greater bound. */
  readonly maxTimeoutMillis: number;
  /** Counts the cost of every rendering. */
  readonly meter?: Meter;
}

/** {@link PrepareParts} with what every call would otherwise make anew. */
export interface Preparing extends PrepareParts {
  readonly random: () => number;
  /** Masks a text. */
  readonly mask: (text: string) => string;
  /** The values of the vault; what expressions read is masked. */
  readonly resolver: Resolver;
}

/** A request, and the grant for its access token, if it needs one. */
export interface ReadyCall {
  readonly request: OutboundRequest;
  /** The URL template from the definition. */
  readonly template: string;
  readonly grant?: TokenGrant | undefined;
}

/** A call that is ready to go out, or the reason why it can never be sent. */
export interface Prepared {
  readonly callId: number;
  /** The owner of the call, for the gate; absent: the call skips the gate. */
  readonly of?: Omit<GatedCall, 'url'>;
  /** Hash of the part of the rendering that a later round would repeat; present only for mutating forward calls. */
  readonly fingerprint?: string | undefined;
  readonly outcome: ReadyCall | CallProblem;
  /** Present when the attempt is traced. */
  readonly span?: CallSpan | undefined;
}

/**
 * Renders the call of a command; undefined if the state no longer requests it. Repeated rendering gives the same result,
 * except for the span id. `undoOutputs` are the outputs for a compensation.
 */
export function prepare(
  parts: Preparing,
  run: Run,
  command: CallCommand,
  trace: Trace,
  undoOutputs: Outputs | undefined,
): Prepared | undefined {
  const { vault, resolver, callbacks, mask, random, requestTimeoutMillis, maxTimeoutMillis, clock, meter } = parts;
  const claims = callbackOf(run, command);
  const callback = claims === undefined ? undefined : callbacks.issue(claims);
  const resources: CallResources = { resolver, callback, undoOutputs };
  const call = prepareCall(run, command, resources);
  if (call === undefined) return undefined;
  const { callId } = command;
  const { tracer } = parts.telemetry;
  const isTraced = tracer !== undefined && isSampled(tracer, run.header.id, trace.traceparent);
  const traced = isTraced ? traceparentOf(trace, random, true) : undefined;
  const plan = call.call;
  const template = plan.request.url.source;
  const of = ownerOf(run, callId);
  const span = traced === undefined ? undefined : callSpan(run, command, traced);
  const begun = clock.monotonic();
  const rendered = renderRequest(plan.request, call.context, undefined, meter);
  watchRun(parts, 'render', begun, run, command.nodeId);
  if (rendered.kind === 'unsent') {
    const { reason, logged } = rendered;
    const outcome = { problem: mask(reason), ...(logged === undefined ? undefined : { logged: mask(logged) }) };
    return { callId, of, span, outcome };
  }
  const { url, verb, body, authorityFromData, secretsUsed } = rendered;
  const destination = { url, hostFromData: authorityFromData, template };
  const refused =
    refusedSecret(secretsUsed, destination, vault, mask) ?? misplacedSecret(rendered, destination, vault, mask);
  if (refused !== undefined) return { callId, of, span, outcome: refused };
  // A definition's own header wins over one of the same name that Trama would add.
  const { headers } = call;
  for (const name in rendered.headers) headers[name.toLowerCase()] = rendered.headers[name] as string;
  // A definition's own header wins over `auth` as over every other that Trama adds.
  const credentials =
    plan.auth === undefined || 'authorization' in headers
      ? undefined
      : credentialsOf(plan.auth, destination, vault, mask);
  if (credentials?.kind === 'problem') return { callId, of, span, outcome: credentials };
  if (credentials?.kind === 'header') headers['authorization'] = credentials.value;
  headers['traceparent'] ??= traced ?? traceparentOf(trace, random);
  const timeoutMillis = Math.min(plan.timeoutMillis ?? requestTimeoutMillis, maxTimeoutMillis);
  const request: Mutable<OutboundRequest> = { url, verb, headers, timeoutMillis, authorityFromData };
  if (body !== undefined) request.body = body;
  const grant = credentials?.kind === 'grant' ? credentials.grant : undefined;
  const fingerprint =
    command.phase === 'UP' && plan.mutating
      ? digest('sha256', renderStable(plan.request, call.context, rendered, undefined, meter), 'base64url')
      : undefined;
  return { callId, of, span, outcome: { request, template, grant }, fingerprint };
}

/** The owner of a call, and since when the call has been blocked. */
function ownerOf({ header, state }: Run, callId: number): NonNullable<Prepared['of']> {
  const token = callerOf(state.tokens, callId);
  const blocked = token && blockedOf(token.stage);
  const { id: executionId, name, version } = header;
  const of = { executionId, tokenId: token?.id ?? 0, name, version };
  if (blocked === undefined) return of;
  return { ...of, blockedSince: blocked.since, ...(blocked.probe === true && { probes: true }) };
}

function callbackOf(run: Run, command: CallCommand): CallbackOf | undefined {
  if (command.phase !== 'UP') return undefined;
  const token = run.state.tokens.find(({ id }) => id === command.tokenId);
  if (token?.stage.kind !== 'calling') return undefined;
  const { visit, operation, nonce, keyId } = token.stage.task;
  if (nonce === undefined) return undefined;
  return { executionId: run.header.id, round: run.state.round, nodeId: token.nodeId, visit, operation, nonce, keyId };
}
