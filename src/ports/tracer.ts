/** Attributes of a span. No payloads, no secrets; undefined values are left out. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** A span that has ended. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client';
  /** Milliseconds since 1970. */
  readonly startMillis: number;
  readonly endMillis: number;
  readonly attributes: SpanAttributes;
  /** Why it failed, in a word or two; absent on success. */
  readonly error?: string | undefined;
}

/**
 * Receives spans once they have ended, so that no open span is lost in a crash. An implementation must be cheap and must not
 * throw.
 */
export interface Tracer {
  /**
   * Whether spans of this trace are recorded. Follows the parent's decision if there is one. The result is the same in every
   * process at any time.
   */
  samples(traceId: string, isParentSampled: boolean | undefined): boolean;
  /** Records a span of a sampled trace. May drop it. */
  record(span: Span): void;
}
