import type { Run } from '../../core/apply.ts';
import type { CallCommand, CallResult, Event } from '../../core/event.ts';
import type { Resolver } from '../../core/context/context-of.ts';
import type { Outputs } from '../../core/context/outputs.ts';
import type { Answered } from '../../core/draft.ts';
import type { Mutable } from '../../core/value/mutable.ts';
import { retryAfterMillis } from '../../core/call/retry-after.ts';
import { shownTemplate } from '../../core/request/url.ts';
import type { Entropy } from '../../ports/clock.ts';
import type { CallAnswer, CallHandle, HttpCaller, LastWord, OutboundRequest } from '../../ports/http-caller.ts';
import type { InboxEvent } from '../../ports/store.ts';
import { AuthorizedCall } from './auth/authorized-call.ts';
import { TokenCache } from './auth/token-cache.ts';
import { answerWithout, bodyWithout } from './auth/without-token.ts';
import { exchangeOf } from './exchange.ts';
import { recordCall } from '../execution/execution-spans.ts';
import type { Block, CallGate, Entry, GatedCall, Pass } from './gate/call-gate.ts';
import { originOf } from './gate/origin.ts';
import { enterBoth } from './gate/two-places.ts';
import type { Trace } from '../trace-context.ts';
import { hostLabel } from './host-label.ts';
import { prepare, type Prepared, type PrepareParts, type Preparing, type ReadyCall } from './prepared-call.ts';

/** The dependencies of a {@link CallRunner}. */
export interface CallRunnerParts extends PrepareParts {
  readonly entropy: Entropy;
  readonly http: HttpCaller;
  /** Absent: every call may go out at once. */
  readonly gate?: CallGate;
  /** Maximum length of a body in the history. */
  readonly maxHistoryBody: number;
}

/** The outcome of a call as an event: an answer, or a block. `bytes` is its approximate size. */
export interface CallAnswered {
  readonly event: Extract<Event, { type: 'answered' | 'blocked' }>;
  readonly bytes: number;
}

/** Receives the outcome of a call. Must not throw. */
export interface CallTaker {
  /** Whether the execution has already made calls in its turn. */
  readonly goesOn: boolean;
  /** Whether a call that had to wait for a place may still go out. If not, the taker gets no further notification. */
  mayStart(callId: number): boolean;
  answered(callId: number, answer: CallAnswered): void;
  /** Whether the call may leave. Called at the last moment, which may be long after the start. */
  mayLeave(callId: number): boolean;
  /** The call did not leave, because {@link CallTaker.mayLeave} returned false. */
  withheld(callId: number): void;
}

/** A started call: under way, or waiting at the gate. */
export interface StartedCall extends CallHandle {
  /** True while the call waits for a free place at its host. */
  readonly waitsForPlace?: boolean;
}

const nothingToAbort: CallHandle = { abort: () => undefined };

/**
 * Makes the calls that the core requests: renders the request, resolves secrets at the last moment, passes the gate, sends
 * the request, and converts the answer into an event for the core, with the exchange for the history.
 */
export class CallRunner {
  readonly #parts: CallRunnerParts & Preparing;
  readonly #tokens: TokenCache;

  constructor(parts: CallRunnerParts) {
    const random = (): number => parts.entropy.random();
    const mask = (text: string): string => parts.masker.text(text);
    const { vault, masker } = parts;
    const resolver: Resolver = {
      variable: (name) => vault.variable(name),
      secret: (name) => vault.secret(name),
      maskJson: (value) => masker.json(value),
    };
    this.#parts = { ...parts, random, mask, resolver };
    this.#tokens = new TokenCache({
      http: parts.http,
      clock: parts.clock,
      conceal: (value) => parts.vault.conceal(value),
      fetchTimeoutMillis: Math.min(parts.requestTimeoutMillis, parts.maxTimeoutMillis),
    });
  }

  /** The values of the vault; what expressions read is masked. */
  get resolver(): Resolver {
    return this.#parts.resolver;
  }

  /** Renders the call of a command: see {@link prepare}. */
  prepare(run: Run, command: CallCommand, trace: Trace, undoOutputs?: Outputs): Prepared | undefined {
    return prepare(this.#parts, run, command, trace, undoOutputs);
  }

  /** Sends a call once the gate lets it pass. The taker gets the answer later, never before this method returns. */
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

  /** Removes fetched access tokens from an outside event: a downstream may know a token and send it back. */
  received(event: InboxEvent): InboxEvent {
    const tokens = event.type === 'callback' ? this.#parts.vault.concealed() : undefined;
    return tokens === undefined || event.type !== 'callback'
      ? event
      : { ...event, body: bodyWithout(event.body, tokens) };
  }

  #enter(gate: CallGate, call: GatedCall, { request, grant }: ReadyCall): Entry {
    if (grant === undefined || this.#tokens.has(grant)) return gate.enter(call);
    // If the token endpoint is at the call's own host, the call's place covers both.
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
    const lastWord = new LastMoment(callId, taker, pass);
    if (grant === undefined) {
      return http.start(
        request,
        (answer) => {
          pass?.done(verdictOf(answer));
          // Any answer may contain a token of another call.
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
    const { clock, telemetry, masker, mask, maxHistoryBody } = this.#parts;
    // An address or a host in a message may contain a secret, and the state keeps the message.
    const result = resultOf(answer, mask, request.authorityFromData ? template : undefined);
    const exchange = exchangeOf(
      request,
      answer,
      result.kind === 'response' ? result.response : undefined,
      masker,
      maxHistoryBody,
    );
    // The label comes from the masked URL: a secret may be a part of the host.
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
    const event: Mutable<Answered> = { type: 'answered', callId, result, exchange };
    if (retryAfter !== undefined) event.retryAfterMillis = retryAfter;
    return {
      event,
      bytes: (request.body?.length ?? 0) + (answer.kind === 'response' ? 2 * answer.body.length : 0),
    };
  }
}

/** The last word of a call's sender, for the taker of its answer. */
class LastMoment implements LastWord {
  readonly #callId: number;
  readonly #taker: CallTaker;
  readonly #pass: Pass | undefined;

  constructor(callId: number, taker: CallTaker, pass: Pass | undefined) {
    this.#callId = callId;
    this.#taker = taker;
    this.#pass = pass;
  }

  mayLeave(): boolean {
    return this.#taker.mayLeave(this.#callId);
  }

  withheld(): void {
    this.#pass?.done('neutral');
    this.#taker.withheld(this.#callId);
  }
}

function blockedAnswer(callId: number, { kind: _kind, ...block }: Block): CallAnswered {
  return { event: { type: 'blocked', callId, ...block }, bytes: 0 };
}

/** The outcome of a call for the circuit of the host. An unreadable answer counts as an answer. */
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

/** `dataTemplate` is the URL from the definition, present only if its host comes from data, because logs must not name that host. */
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
  // An answer is still expected here, so only the stop of this process can have aborted the call.
  return { kind: 'failed', error: error === 'aborted' ? 'connect' : error, reason, ...logged };
}
