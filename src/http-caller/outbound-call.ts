/**
 * One call under way: undici's handler, the caller's handle and the deadline in a single object.
 *
 * States: queued → written (`onRequestStart`: the connection stands and the request is written next) → answering
 * (`onResponseStart`) → ended. Ending happens once, from whichever comes first: the answer's end, an error, the
 * deadline, an abort. A call that ends while queued stays in undici's queue; `onRequestStart` then throws, which makes
 * undici drop the request unwritten and keep the connection.
 */
import type { Dispatcher } from 'undici';
import type { CallAnswer, CallError, LastWord, CallHandle, OutboundRequest } from '../ports/http-caller.ts';
import { codingsOf, decodeContent, tooLargeSentence } from './content-decoding.ts';
import { EgressRefusedError } from './connector.ts';
import { readBody } from './response-body.ts';
import { errors } from './undici-parts.ts';

/** Room for what a coding adds to content that does not compress. */
const codingOverheadBytes = 4096;

/** Timers take at most 2^31-1 ms. */
const maxTimerMillis = 2 ** 31 - 1;

type Headers = Record<string, string | string[] | undefined>;

/** What all calls of a caller share. */
export interface CallOwner {
  readonly maxResponseBytes: number;
  /** The call has ended and its answer is about to be given. */
  ended(call: OutboundCall): void;
}

/** Thrown through undici to drop or cut a request whose call has ended; nobody sees it. */
const endedError = new Error('The call has ended.');

function onDeadline(call: OutboundCall): void {
  call.expire();
}

/** See the file header. */
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

  /** Starts the clock. */
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

  /** Ends the call as one that cannot be made. Harmless once it has ended. */
  refuse(message: string): void {
    this.#fail('refused', message);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#ended) throw endedError;
    const lastWord = this.#lastWord;
    if (lastWord?.mayLeave() === false) {
      this.#end(() => {
        lastWord.withheld();
      });
      throw endedError;
    }
    this.#controller = controller;
    this.#sent = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    // Informational answers come before the real one.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    const limit = this.#owner.maxResponseBytes;
    const coding = headers['content-encoding'];
    if (coding === undefined) {
      this.#wireLimit = limit;
    } else {
      this.#codings = codingsOf(String(coding));
      this.#wireLimit = this.#codings.length === 0 ? limit : limit + codingOverheadBytes;
    }
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
    // The answer is whole: from here on there is nothing to cut.
    this.#controller = undefined;
    const bytes = this.#more === undefined ? (this.#first ?? Buffer.alloc(0)) : Buffer.concat(this.#more, this.#bytes);
    if (this.#codings.length === 0 || bytes.length === 0) {
      this.#succeed(bytes);
      return;
    }
    decodeContent(bytes, this.#codings, this.#owner.maxResponseBytes, (problem, decoded) => {
      if (problem === undefined) this.#succeed(decoded);
      else this.#fail('body', problem);
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#ended) return;
    if (error instanceof EgressRefusedError) this.#fail('refused', error.message);
    else this.#fail(this.#kindOf(error), describe(error));
  }

  #kindOf(error: Error): CallError {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (this.#status !== 0) return 'body';
    // undici checks path, verb and headers before it queues a request; afterwards these codes mean a proxy's trouble.
    if (!this.#sent && (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED')) return 'refused';
    if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') return 'aborted';
    // Something came back, but no HTTP answer that can be read.
    const unreadable = error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError;
    return this.#sent && unreadable ? 'body' : 'connect';
  }

  #cut(error: CallError, message: string): void {
    if (this.#ended) return;
    const controller = this.#controller;
    this.#fail(error, message);
    controller?.abort(endedError);
  }

  #succeed(bytes: Buffer): void {
    if (this.#ended) return;
    const headers = this.#headers ?? {};
    for (const name in headers) {
      const value = headers[name];
      if (typeof value !== 'string') headers[name] = value?.join(', ') ?? '';
    }
    const plain = headers as Record<string, string>;
    const { text, json } = readBody(bytes, plain['content-type']);
    this.#answer({
      kind: 'response',
      status: this.#status,
      headers: plain,
      body: text,
      bodyJson: json,
      latencyMillis: performance.now() - this.#startedAt,
    });
  }

  #fail(error: CallError, message: string): void {
    if (this.#ended) return;
    this.#answer({
      kind: 'failed',
      error,
      sent: this.#sent,
      message,
      ...(this.#status === 0 ? undefined : { status: this.#status }),
      latencyMillis: performance.now() - this.#startedAt,
    });
  }

  #answer(answer: CallAnswer): void {
    this.#end(() => {
      this.#done(answer);
    });
  }

  #end(tell: () => void): void {
    this.#ended = true;
    this.#controller = undefined;
    this.#first = undefined;
    this.#more = undefined;
    clearTimeout(this.#timer);
    this.#owner.ended(this);
    // In a microtask: neither `start` nor `abort` may be interrupted by the answer, and an error that `done` throws by
    // mistake must not be taken by undici for one of the call's.
    queueMicrotask(tell);
  }
}

/** A sentence on a connection's error: system errors name their code and address, an attempt on several the first. */
function describe(error: Error): string {
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : undefined;
  const message = error.message === '' && inner instanceof Error ? inner.message : error.message;
  const cause = error.cause instanceof Error && error.cause.message !== '' ? ` (${error.cause.message})` : '';
  return `${message === '' ? error.name : message}${cause}`;
}
