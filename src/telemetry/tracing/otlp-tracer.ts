import type { Span, Tracer } from '../../ports/tracer.ts';
import { GrpcSender, SendError } from './grpc-sender.ts';
import { exportRequest, type Resource } from './otlp.ts';

/** Options of {@link OtlpTracer}. */
export interface OtlpOptions {
  readonly resource: Resource;
  /** http or https URL. */
  readonly endpoint: string;
  /** Share of traces to sample, from 0 to 1. */
  readonly sampleRatio: number;
  /** Called with the outcome of spans. Must not throw. */
  readonly count: (result: 'exported' | 'failed' | 'dropped', spans: number) => void;
  /** Called when sending begins to fail (with the reason) and when it works again (undefined). Must not throw. */
  readonly changed: (problem: string | undefined) => void;
  /** Whether batches are compressed by gzip; default false. */
  readonly gzips?: boolean;
  readonly sizes?: { readonly queue: number; readonly batch: number };
  readonly retry?: RetryTimes;
}

/**
 * Attempts per batch, and the bounds of the pause between them: it doubles from the first to the longest, minus up to
 * half at random.
 */
interface RetryTimes {
  readonly maxAttempts: number;
  readonly firstMillis: number;
  readonly mostMillis: number;
}

const defaultSizes = { queue: 8192, batch: 512 };
/** At most some 45 s in total, besides the attempts themselves. */
const defaultRetry: RetryTimes = { maxAttempts: 6, firstMillis: 1000, mostMillis: 16_000 };
const delayMillis = 1000;
const timeoutMillis = 10_000;
/** How long the shutdown waits for the last spans. */
const flushMillis = 3000;
/** The last 52 bits of a trace id are random, even if it is a UUIDv7; more digits would not be exact as a number. */
const randomDigits = 13;

/**
 * Traces to an OpenTelemetry collector: sampled, in batches, with a bounded queue. Spans are best effort. Spans that
 * the collector does not accept, after retries of retryable failures, are counted and dropped. While one batch is
 * retried the others wait, and spans that find no room are dropped. Executions never wait for tracing.
 */
export class OtlpTracer implements Tracer {
  readonly #options: OtlpOptions;
  readonly #sizes: { readonly queue: number; readonly batch: number };
  readonly #sender: GrpcSender;
  #queue: Span[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  /** Ends the pause before the next attempt. */
  #wake: (() => void) | undefined;
  #isFailing = false;
  /** No batch is retried any more. */
  #isOver = false;
  #isClosed = false;

  constructor(options: OtlpOptions) {
    this.#options = options;
    this.#sizes = options.sizes ?? defaultSizes;
    this.#sender = new GrpcSender(options.endpoint, timeoutMillis, options.gzips);
  }

  samples(traceId: string, isParentSampled: boolean | undefined): boolean {
    if (isParentSampled !== undefined) return isParentSampled;
    const { sampleRatio } = this.#options;
    if (sampleRatio >= 1) return true;
    return Number.parseInt(traceId.slice(-randomDigits), 16) / 2 ** (4 * randomDigits) < sampleRatio;
  }

  record(span: Span): void {
    if (this.#isClosed || this.#queue.length >= this.#sizes.queue) {
      this.#options.count('dropped', 1);
      return;
    }
    this.#queue.push(span);
    if (this.#queue.length >= this.#sizes.batch) this.#send();
    else this.#plan();
  }

  /**
   * Sends waiting spans, for at most three seconds unless in a hurry, and accepts no more. A second call does nothing.
   */
  async close(isHurried: boolean): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#wake?.();
    if (!isHurried) await this.#flushInTime();
    this.#isOver = true;
    this.#wake?.();
    const left = this.#queue.length;
    this.#queue = [];
    if (left > 0) this.#options.count('dropped', left);
    // Fails a batch under way, which counts as failed.
    this.#sender.close();
    await this.#sending;
  }

  async #flushInTime(): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const isLate = new Promise<void>((resolve) => {
      late = setTimeout(resolve, flushMillis);
    });
    await Promise.race([this.#flush(), isLate]);
    clearTimeout(late);
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0 || this.#sending !== undefined) {
      this.#send();
      // oxlint-disable-next-line no-await-in-loop -- one batch at a time
      await this.#sending;
    }
  }

  #plan(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#send();
    }, delayMillis).unref();
  }

  /** Sends one batch at a time, so that a slow collector gets no more at once. */
  #send(): void {
    if (this.#sending !== undefined || this.#queue.length === 0) return;
    this.#sending = this.#export(this.#queue.splice(0, this.#sizes.batch)).finally(() => {
      this.#sending = undefined;
      if (this.#isClosed) return;
      if (this.#queue.length >= this.#sizes.batch) this.#send();
      else if (this.#queue.length > 0) this.#plan();
    });
  }

  async #export(batch: readonly Span[]): Promise<void> {
    const { resource, count, changed, retry = defaultRetry } = this.#options;
    const request = exportRequest(resource, batch);
    for (let attempt = 1; ; attempt++) {
      const problem = await this.#try(request);
      if (problem === undefined) break;
      if (!this.#isFailing) changed(problem.message);
      this.#isFailing = true;
      if (!problem.isRetryable || attempt >= retry.maxAttempts || this.#isOver) {
        count('failed', batch.length);
        return;
      }
      await this.#pause(Math.min(retry.firstMillis * 2 ** (attempt - 1), retry.mostMillis));
    }
    count('exported', batch.length);
    if (this.#isFailing) changed(undefined);
    this.#isFailing = false;
  }

  async #try(request: Buffer): Promise<SendError | undefined> {
    try {
      await this.#sender.send(request);
      return undefined;
    } catch (error) {
      return error instanceof SendError ? error : new SendError(String(error), false);
    }
  }

  #pause(millis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, millis * (1 - Math.random() / 2)).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
