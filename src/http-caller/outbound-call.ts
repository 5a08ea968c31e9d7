import { maxHeaderSize } from 'node:http';
import type { Dispatcher } from 'undici';
import { codingsOf, decodeContent, tooLargeProblem } from '../content/codings.ts';
import type { Mutable } from '../core/value/mutable.ts';
import type {
  CallAnswer,
  CallError,
  CallResponse,
  LastWord,
  CallHandle,
  OutboundRequest,
} from '../ports/http-caller.ts';
import { EgressRefusedError } from './connector.ts';
import { readBody, unreadable } from './response-body.ts';
import type { ReadBody } from './response-body.ts';
import { errors } from './undici-parts.ts';

/** Room for the overhead of a content coding on incompressible content. */
const codingOverheadBytes = 4096;

const blank = 0x20;

/** Timers take at most 2^31-1 ms. */
const maxTimerMillis = 2 ** 31 - 1;

type Headers = Record<string, string | string[] | undefined>;

/** What all calls of a caller share. */
export interface CallOwner {
  readonly maxResponseBytes: number;
  /** Called when the call has ended, just before it gives its answer. */
  ended(call: OutboundCall): void;
}

/** Thrown through undici to drop or cut a request whose call has ended; undici swallows it. */
const endedError = new Error('The call has ended.');

function onDeadline(call: OutboundCall): void {
  call.expire();
}

/**
 * One call under way: undici's handler, the caller's handle and the deadline in a single object.
 *
 * States: queued → written (`onRequestStart`: the connection is established and undici writes the request next) →
 * answering (`onResponseStart`) → ended. The call ends once, by whichever comes first: the answer's end, an error, the
 * deadline, an abort. A call that ends while queued stays in undici's queue; `onRequestStart` then throws, which makes
 * undici drop the request unwritten and keep the connection.
 */
export class OutboundCall implements Dispatcher.DispatchHandler, CallHandle {
  readonly #owner: CallOwner;
  readonly #done: (answer: CallAnswer) => void;
  readonly #lastWord: LastWord | undefined;
  readonly #isHead: boolean;
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #sent = false;
  #ended = false;
  #status = 0;
  #headers: Headers | undefined;
  #codings: readonly string[] = [];
  #wireLimit = 0;
  #bytes = 0;
  #first: Buffer | undefined;
  #more: Buffer[] | undefined;

  /** Starts the deadline. */
  constructor(
    owner: CallOwner,
    { verb, timeoutMillis }: OutboundRequest,
    done: (answer: CallAnswer) => void,
    lastWord?: LastWord,
  ) {
    this.#owner = owner;
    this.#done = done;
    this.#lastWord = lastWord;
    this.#isHead = verb === 'HEAD';
    this.#timer = setTimeout(onDeadline, Math.min(timeoutMillis, maxTimerMillis), this);
  }

  abort(): void {
    this.#cut('aborted', 'The call was aborted.');
  }

  /** Ends the call because its time is over. Harmless once it has ended. */
  expire(): void {
    this.#cut('timeout', this.#sent ? 'No whole answer came in time.' : 'The request could not be sent in time.');
  }

  /** Ends the call as impossible. Harmless once it has ended. */
  refuse(message: string): void {
    this.#fail('refused', message);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#ended) throw endedError;
    const lastWord = this.#lastWord;
    if (lastWord?.mayLeave() === false) {
      this.#end(undefined);
      throw endedError;
    }
    this.#controller = controller;
    this.#sent = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // Informational (1xx) answers precede the final one.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    const limit = this.#owner.maxResponseBytes;
    const coding = headers['content-encoding'];
    const transfer = headers['transfer-encoding'];
    if (coding !== undefined) this.#codings = codingsOf(String(coding));
    // Transfer codings were applied after content codings. undici has undone the chunks already; it knows no coding after them.
    if (transfer !== undefined && transfer !== 'chunked') {
      this.#codings = [...codingsOf(String(transfer).replace(/(?:,?\s*chunked\s*)+$/i, '')), ...this.#codings];
    }
    this.#wireLimit = this.#codings.length === 0 ? limit : limit + codingOverheadBytes;
    const announced = headers['content-length'];
    const hasBody = !this.#isHead && status !== 204 && status !== 304;
    if (announced !== undefined && hasBody && Number(announced) > this.#wireLimit) {
      this.#cut('body', tooLargeSentence(limit));
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#wireLimit) {
      this.#cut('body', tooLargeSentence(this.#owner.maxResponseBytes));
    } else if (this.#first === undefined) {
      this.#first = chunk;
    } else {
      (this.#more ??= [this.#first]).push(chunk);
    }
  }

  onResponseEnd(): void {
    if (this.#ended) return;
    // The answer is complete: nothing can be cut from here on.
    this.#controller = undefined;
    const bytes = this.#more === undefined ? (this.#first ?? Buffer.alloc(0)) : Buffer.concat(this.#more, this.#bytes);
    if (this.#codings.length === 0 || bytes.length === 0) {
      this.#succeed(readBody(bytes, this.#contentType));
      return;
    }
    decodeContent(bytes, this.#codings, this.#owner.maxResponseBytes, (fault, decoded) => {
      if (fault === undefined) this.#succeed(readBody(decoded, this.#contentType));
      else if (fault.kind === 'too_large') this.#fail('body', `The answer ${fault.problem}.`);
      else this.#succeed(unreadable(fault.problem));
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#ended) return;
    if (this.#isWholeDespite(error)) {
      this.onResponseEnd();
      return;
    }
    if (error instanceof EgressRefusedError) this.#fail('refused', error.message);
    else this.#fail(this.#kindOf(error), describe(error));
  }

  /**
   * undici reads blanks after the number of a Content-Length, which HTTP allows, as digits, and then finds a complete
   * body too short.
   */
  #isWholeDespite(error: Error): boolean {
    if (this.#status === 0 || codeOf(error) !== wrongLength) return false;
    return String(this.#headers?.['content-length']).trim() === String(this.#bytes);
  }

  #kindOf(error: Error): CallError {
    const code = codeOf(error);
    if (this.#status !== 0) return 'body';
    // undici checks path, verb and headers before it queues a request; afterwards these codes mean trouble with a
    // proxy.
    if (!this.#sent && (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED')) return 'refused';
    if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') return 'aborted';
    return this.#sent && unreadableProblem(error) !== undefined ? 'body' : 'connect';
  }

  #cut(error: CallError, message: string): void {
    if (this.#ended) return;
    const controller = this.#controller;
    this.#fail(error, message);
    controller?.abort(endedError);
  }

  get #contentType(): string | undefined {
    const type = this.#headers?.['content-type'];
    return typeof type === 'object' ? type.join(', ') : type;
  }

  #succeed({ text, json, problem }: ReadBody): void {
    if (this.#ended) return;
    const headers = this.#headers ?? {};
    for (const name in headers) {
      const value = headers[name];
      if (typeof value !== 'string') headers[name] = value?.join(', ') ?? '';
      // Blanks after a value are not part of it (RFC 9110, 5.5).
      else if (value.charCodeAt(value.length - 1) === blank) headers[name] = value.trimEnd();
    }
    const answer: Mutable<CallResponse> = {
      kind: 'response',
      status: this.#status,
      headers: headers as Record<string, string>,
      body: text,
      bodyJson: json,
      latencyMillis: performance.now() - this.#startedAt,
    };
    if (problem !== undefined) answer.bodyProblem = problem;
    this.#end(answer);
  }

  #fail(error: CallError, message: string): void {
    if (this.#ended) return;
    this.#end({
      kind: 'failed',
      error,
      sent: this.#sent,
      message,
      ...(this.#status === 0 ? undefined : { status: this.#status }),
      latencyMillis: performance.now() - this.#startedAt,
    });
  }

  /** Ends the call with its answer; without one, the sender has withheld the call. */
  #end(answer: CallAnswer | undefined): void {
    this.#ended = true;
    this.#controller = undefined;
    this.#first = undefined;
    this.#more = undefined;
    clearTimeout(this.#timer);
    this.#owner.ended(this);
    // In a microtask: neither `start` nor `abort` may be interrupted by the answer, and an error that `done` throws by
    // mistake must not be taken by undici for one of the call's.
    queueMicrotask(() => {
      if (answer === undefined) this.#lastWord?.withheld();
      else this.#done(answer);
    });
  }
}

function tooLargeSentence(maxBytes: number): string {
  return `The answer ${tooLargeProblem(maxBytes)}.`;
}

/**
 * undici raises this error for a body that is not as long as announced, and for every error in an answer with a length.
 */
const wrongLength = 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

/** A sentence about bytes that came back but are no readable HTTP answer; undefined where none came. */
function unreadableProblem(error: Error): string | undefined {
  if (error instanceof errors.HeadersOverflowError) {
    return `The head of the answer is larger than ${String(maxHeaderSize)} bytes.`;
  }
  if (error instanceof errors.HTTPParserError) {
    const detail = /\((.+)\)$/s.exec(error.message)?.[1];
    return `The answer is not valid HTTP/1.1${detail === undefined ? '' : `: ${detail}`}.`;
  }
  if (error.message === 'bad upgrade') return 'The answer switches to another protocol (101), which was not asked for.';
  switch (codeOf(error)) {
    case wrongLength:
      return 'The answer is not valid HTTP/1.1: its lengths contradict each other, or its body.';
    // undici asserts that a status has three digits.
    case 'ERR_ASSERTION':
      return 'The answer is not valid HTTP/1.1.';
    default:
      return undefined;
  }
}

/**
 * A sentence about an error of a connection: system errors name their code and address, an attempt on several the
 * first.
 */
function describe(error: Error): string {
  const problem = unreadableProblem(error);
  if (problem !== undefined) return problem;
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : undefined;
  const message = error.message === '' && inner instanceof Error ? inner.message : error.message;
  const cause = error.cause instanceof Error && error.cause.message !== '' ? ` (${error.cause.message})` : '';
  return `${message === '' ? error.name : message}${cause}`;
}
