/**
 * Makes the calls that the core asks for: renders the request, resolves secrets at the last moment, sends it, and turns
 * the answer into the event that the core judges, with the exchange that people may see.
 */
import { hash as digest } from 'node:crypto';
import type { Run } from '../../core/apply.ts';
import { blockedOf } from '../../core/attempting.ts';
import { type CallResources, prepareCall } from '../../core/call/call.ts';
import type { CallCommand, CallResult, Event } from '../../core/event.ts';
import type { Outputs } from '../../core/context/outputs.ts';
import type { Meter } from '../../core/meter.ts';
import { renderRequest, renderStable } from '../../core/request/render.ts';
import { retryAfterMillis } from '../../core/call/retry-after.ts';
import { shownTemplate } from '../../core/request/url.ts';
import type { Clock, Entropy } from '../../ports/clock.ts';
import type { CallAnswer, CallHandle, HttpCaller, OutboundRequest } from '../../ports/http-caller.ts';
import type { InboxEvent } from '../../ports/store.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import { AuthorizedCall } from './auth/authorized-call.ts';
import { credentialsOf } from './auth/credentials.ts';
import { type Bindings, type CallProblem, misplacedSecret, refusedSecret } from './auth/secret-destination.ts';
import { TokenCache, type TokenGrant } from './auth/token-cache.ts';
import { answerWithout, bodyWithout } from './auth/without-token.ts';
import { type CallMasker, exchangeOf } from './exchange.ts';
import { type CallSpan, callSpan, isSampled, recordCall } from '../execution/execution-spans.ts';
import type { Block, CallGate, Entry, GatedCall, Pass } from './gate/call-gate.ts';
import { originOf } from './gate/origin.ts';
import { enterBoth } from './gate/two-places.ts';
import { hostLabel } from './host-label.ts';
import { traceparentOf } from '../trace-context.ts';
import { turnFields, watchTurn } from '../watchdog.ts';

/** What a callback token stands for. */
export interface CallbackOf {
  readonly executionId: string;
  readonly round: number;
  readonly nodeId: string;
  readonly visit: number;
  readonly operation: number;
  readonly nonce: string;
  /** Id of the key that signs it; absent or not live any more: the first one. */
  readonly keyId?: string | undefined;
}

/** Makes callback addresses; the same claims always give the same. */
export interface CallbackIssuer {
  /** Id of the key that signs: `used` while that is live, else the first one; undefined where nobody can call back. */
  keyFor(used: string | undefined): string | undefined;
  issue(claims: CallbackOf): { readonly url: string; readonly token: string; readonly signedUrl: string };
}

/** Secrets and variables by name. */
export interface Vault extends Bindings {
  secret(name: string): string | undefined;
  variable(name: string): string | undefined;
  /** Masks a value from now on as if it were a secret; answers what takes it out of a text. The same value may come again. */
  conceal(value: string): (text: string) => string;
  /** Takes every value concealed so far out of a text; undefined while there is none. */
  concealed(): ((text: string) => string) | undefined;
}

/** What a call runner stands on. */
export interface CallRunnerParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly telemetry: Telemetry;
  readonly http: HttpCaller;
  readonly vault: Vault;
  readonly callbacks: CallbackIssuer;
  readonly masker: CallMasker;
  /** Absent: every call may go out at once. */
  readonly gate?: CallGate;
  /** Total time of a call whose definition says nothing, in milliseconds. */
  readonly requestTimeoutMillis: number;
  /** Longest total time of any call, in milliseconds: a definition may have been stored under a greater bound. */
  readonly maxTimeoutMillis: number;
  /** Longest body that the history keeps. */
  readonly maxHistoryBody: number;
  /** Told what every rendering costs. */
  readonly meter?: Meter;
}

/** A request, and what a token is fetched with before it leaves. */
interface ReadyCall {
  readonly request: OutboundRequest;
  /** The URL as the definition writes it. */
  readonly template: string;
  readonly grant?: TokenGrant | undefined;
}

/** A call ready to go out, or the reason why it never will. */
export interface Prepared {
  readonly callId: number;
  /** Whose call it is, for the gate; absent: the gate is not asked. */
  readonly of?: Omit<GatedCall, 'url'>;
  /** Hash of the rendering that stays the same in a later round; of mutating forward calls only. */
  readonly fingerprint?: string | undefined;
  readonly outcome: ReadyCall | CallProblem;
  /** Present when the attempt is traced. */
  readonly span?: CallSpan | undefined;
}

/** An answer as an event, or that the call may not go out yet; `bytes` is about how large it is. */
export interface CallAnswered {
  readonly event: Extract<Event, { type: 'answered' | 'blocked' }>;
  readonly bytes: number;
}

/** Who waits for a call. Must not throw. */
export interface CallTaker {
  /** Whether the execution has made calls in its turn, and goes on with this one. */
  readonly goesOn: boolean;
  /** Whether a call that had to wait for a place may still go out. When not, nothing more is told of it. */
  mayStart(callId: number): boolean;
  answered(callId: number, answer: CallAnswered): void;
  /** Asked at the last moment before a call leaves, which may be long after it was started. */
  mayLeave(callId: number): boolean;
  /** It did not leave, because it might not. */
  withheld(callId: number): void;
}

/** A call that was started: it is under way, or waits at the gate. */
export interface StartedCall extends CallHandle {
  /** True while it waits for a free place at its host. */
  readonly waitsForPlace?: boolean;
}

const nothingToAbort: CallHandle = { abort: () => undefined };

/** See the file header. */
export class CallRunner {
  readonly #parts: CallRunnerParts;
  readonly #random: () => number;
  readonly #tokens: TokenCache;

  constructor(parts: CallRunnerParts) {
    this.#parts = parts;
    this.#random = () => parts.entropy.random();
    this.#tokens = new TokenCache({
      http: parts.http,
      clock: parts.clock,
      conceal: (value) => parts.vault.conceal(value),
      fetchTimeoutMillis: Math.min(parts.requestTimeoutMillis, parts.maxTimeoutMillis),
    });
  }

  /**
   * Renders the call of a command; undefined when the state does not ask for it any more. Rendering again gives the same,
   * but for the span id. `undoOutputs` is what a compensation sees.
   */
  prepare(run: Run, command: CallCommand, traceparent?: string, undoOutputs?: Outputs): Prepared | undefined {
    const { vault, callbacks, masker, requestTimeoutMillis, maxTimeoutMillis, clock, meter } = this.#parts;
    const mask = (text: string): string => masker.text(text);
    const claims = callbackOf(run, command);
    const callback = claims === undefined ? undefined : callbacks.issue(claims);
    const resources: CallResources = { resolver: vault, callback, undoOutputs };
    const call = prepareCall(run, command, resources);
    if (call === undefined) return undefined;
    const { callId } = command;
    const { tracer } = this.#parts.telemetry;
    const isTraced = tracer !== undefined && isSampled(tracer, run.header.id, traceparent);
    const trace = isTraced ? traceparentOf(run.header.id, traceparent, this.#random, true) : undefined;
    const plan = call.call;
    const template = plan.request.url.source;
    const of = ownerOf(run, callId);
    const span = trace === undefined ? undefined : callSpan(run, command, trace);
    const begun = clock.monotonic();
    const rendered = renderRequest(plan.request, call.context, undefined, meter);
    watchTurn(this.#parts, 'render', begun, () => turnFields(run, command.nodeId));
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
    const headers = merged(rendered.headers, call.headers);
    // A definition's own header wins over `auth` as over every other that Trama adds.
    const credentials =
      plan.auth === undefined || 'authorization' in headers
        ? undefined
        : credentialsOf(plan.auth, destination, vault, mask);
    if (credentials?.kind === 'problem') return { callId, of, span, outcome: credentials };
    if (credentials?.kind === 'header') headers['authorization'] = credentials.value;
    headers['traceparent'] ??= trace ?? traceparentOf(run.header.id, traceparent, this.#random);
    const request: OutboundRequest = {
      url,
      verb,
      headers,
      ...(body === undefined ? undefined : { body }),
      timeoutMillis: Math.min(plan.timeoutMillis ?? requestTimeoutMillis, maxTimeoutMillis),
      authorityFromData,
    };
    const grant = credentials?.kind === 'grant' ? credentials.grant : undefined;
    const fingerprint =
      command.phase === 'UP' && plan.mutating
        ? digest('sha256', renderStable(plan.request, call.context, rendered, undefined, meter))
        : undefined;
    return { callId, of, span, outcome: { request, template, grant }, fingerprint };
  }

  /** Sends it, when the gate lets it pass. The taker learns the answer later, never before this has returned. */
  start(prepared: Prepared, taker: CallTaker): StartedCall {
    const { gate } = this.#parts;
    const { callId, of, outcome } = prepared;
    if (gate === undefined || of === undefined) return this.#send(prepared, taker, undefined);
    const { goesOn } = taker;
    const entry =
      'problem' in outcome
        ? gate.enter(of)
        : this.#enter(
            gate,
            { ...of, goesOn, url: outcome.request.url, hostFromData: outcome.request.authorityFromData },
            outcome,
          );
    switch (entry.kind) {
      case 'open':
        return this.#send(prepared, taker, entry);
      case 'blocked':
        void Promise.resolve().then(() => taker.answered(callId, blockedAnswer(callId, entry)));
        return nothingToAbort;
      case 'queued': {
        let sent: CallHandle | undefined;
        const giveUp = entry.wait((late) => {
          if (late.kind === 'blocked') taker.answered(callId, blockedAnswer(callId, late));
          else if (taker.mayStart(callId)) sent = this.#send(prepared, taker, late);
          else late.done('neutral');
        });
        return {
          get waitsForPlace() {
            return sent === undefined;
          },
          abort: () => {
            if (sent === undefined) giveUp();
            else sent.abort();
          },
        };
      }
    }
  }

  /** An event from outside without the tokens that were fetched here, which a downstream may know and tell. */
  received(event: InboxEvent): InboxEvent {
    const tokens = event.type === 'callback' ? this.#parts.vault.concealed() : undefined;
    return tokens === undefined || event.type !== 'callback'
      ? event
      : { ...event, body: bodyWithout(event.body, tokens) };
  }

  #enter(gate: CallGate, call: GatedCall, { request, grant }: ReadyCall): Entry {
    if (grant === undefined || this.#tokens.has(grant)) return gate.enter(call);
    // At its own host it has its place already.
    if (originOf(grant.url)?.text === originOf(request.url)?.text) return gate.enter(call);
    return enterBoth(gate, { ...call, url: grant.url, placeOnly: true }, call);
  }

  #send(prepared: Prepared, taker: CallTaker, pass: Pass | undefined): CallHandle {
    const { callId, outcome, span } = prepared;
    if ('problem' in outcome) {
      pass?.done('neutral');
      const { problem: reason, logged } = outcome;
      const result = {
        kind: 'unsent',
        reason,
        ...(logged === undefined ? undefined : { logged }),
        retryable: false,
      } as const;
      const { telemetry, clock } = this.#parts;
      if (span !== undefined && telemetry.tracer !== undefined) {
        recordCall(telemetry.tracer, span, { result, endMillis: clock.now(), latencyMillis: 0 });
      }
      const event = { type: 'answered', callId, result } as const;
      void Promise.resolve().then(() => taker.answered(callId, { event, bytes: 0 }));
      return nothingToAbort;
    }
    const { request, template, grant } = outcome;
    const { http, clock, vault } = this.#parts;
    const lastWord = {
      mayLeave: () => taker.mayLeave(callId),
      withheld: () => {
        pass?.done('neutral');
        taker.withheld(callId);
      },
    };
    if (grant === undefined) {
      return http.start(
        request,
        (answer) => {
          pass?.done(verdictOf(answer));
          // A token of another call may come back in any answer.
          const tokens = vault.concealed();
          const clean = tokens === undefined ? answer : answerWithout(answer, tokens);
          taker.answered(callId, this.#answered(prepared, template, request, clean));
        },
        lastWord,
      );
    }
    return new AuthorizedCall(
      { http, clock, tokens: this.#tokens },
      request,
      grant,
      ({ answer, request: sent, isOfDownstream }) => {
        pass?.done(isOfDownstream ? verdictOf(answer) : 'neutral');
        taker.answered(callId, this.#answered(prepared, template, sent, answer));
      },
      lastWord,
      () => pass?.hasToken?.(),
    );
  }

  #answered({ callId, span }: Prepared, template: string, request: OutboundRequest, answer: CallAnswer): CallAnswered {
    const { clock, telemetry, masker, maxHistoryBody } = this.#parts;
    // An address or a host in a message may be made of a secret, and the state keeps it.
    const mask = (text: string): string => masker.text(text);
    const result = resultOf(answer, mask, request.authorityFromData ? template : undefined);
    const exchange = exchangeOf(request, answer, masker, maxHistoryBody);
    // Of the masked URL: a secret may be a part of the host.
    telemetry.called(
      hostLabel(exchange.url, request.authorityFromData),
      result.kind === 'failed' ? result.error : result.kind,
      answer.latencyMillis,
    );
    if (span !== undefined && telemetry.tracer !== undefined) {
      const { latencyMillis } = answer;
      const traced = { verb: request.verb, template: mask(shownTemplate(template)) };
      recordCall(telemetry.tracer, span, { result, request: traced, endMillis: clock.now(), latencyMillis });
    }
    const retryAfter =
      answer.kind === 'response' && (answer.status === 429 || answer.status === 503)
        ? retryAfterMillis(answer.headers['retry-after'], clock.now())
        : undefined;
    return {
      event: {
        type: 'answered',
        callId,
        result,
        exchange,
        ...(retryAfter === undefined ? undefined : { retryAfterMillis: retryAfter }),
      },
      bytes: (request.body?.length ?? 0) + (answer.kind === 'response' ? 2 * answer.body.length : 0),
    };
  }
}

/** Whose call it is, and since when it has been blocked. */
function ownerOf({ header, state }: Run, callId: number): NonNullable<Prepared['of']> {
  const token = state.tokens.find(({ stage }) => 'callId' in stage && stage.callId === callId);
  const blocked = token && blockedOf(token.stage);
  const of = { executionId: header.id, tokenId: token?.id ?? 0, name: header.name, version: header.version };
  return blocked === undefined ? of : { ...of, blockedSince: blocked.since };
}

function blockedAnswer(callId: number, { kind: _kind, ...block }: Block): CallAnswered {
  return { event: { type: 'blocked', callId, ...block }, bytes: 0 };
}

/** What an answer says of the host. An answer that could not be read is one. */
function verdictOf(answer: CallAnswer): Parameters<Pass['done']>[0] {
  if (answer.kind === 'response') return answer.status >= 500 ? 'failed' : 'answered';
  switch (answer.error) {
    case 'timeout':
    case 'connect':
      return 'failed';
    case 'body':
      return 'answered';
    case 'aborted':
    case 'refused':
      return 'neutral';
  }
}

function callbackOf(run: Run, command: CallCommand): CallbackOf | undefined {
  if (command.phase !== 'UP') return undefined;
  const token = run.state.tokens.find(({ id }) => id === command.tokenId);
  if (token?.stage.kind !== 'calling') return undefined;
  const { visit, operation, nonce, keyId } = token.stage.task;
  if (nonce === undefined) return undefined;
  return { executionId: run.header.id, round: run.state.round, nodeId: token.nodeId, visit, operation, nonce, keyId };
}

/** A definition's own header wins over one of the same name that Trama would add. */
function merged(
  own: Readonly<Record<string, string>>,
  added: Readonly<Record<string, string>>,
): Record<string, string> {
  const headers: Record<string, string> = { ...added };
  for (const name in own) headers[name.toLowerCase()] = own[name] as string;
  return headers;
}

/** `dataTemplate` is the URL as the definition writes it, where its host comes from data: a message would name that host. */
function resultOf(answer: CallAnswer, mask: (text: string) => string, dataTemplate: string | undefined): CallResult {
  if (answer.kind === 'response') {
    const { status, headers, bodyJson, bodyProblem } = answer;
    const response = { status, headers, body: bodyJson };
    return bodyProblem === undefined ? { kind: 'response', response } : { kind: 'response', response, bodyProblem };
  }
  const { error, sent } = answer;
  const reason = mask(answer.message);
  const logged =
    dataTemplate === undefined
      ? undefined
      : { logged: `The call to ${mask(shownTemplate(dataTemplate))} had no answer (${error}).` };
  if (!sent || error === 'refused') return { kind: 'unsent', reason, ...logged, retryable: error !== 'refused' };
  // Aborted by nobody who still waits for it: the connection went away with the process' own end.
  return { kind: 'failed', error: error === 'aborted' ? 'connect' : error, reason, ...logged };
}
