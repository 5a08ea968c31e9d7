import { hash } from 'node:crypto';

const form = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The content of a `traceparent` header. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Parses a header; undefined when it is absent or malformed. */
export function parentOf(header: string | undefined): TraceParent | undefined {
  if (header === undefined || !form.test(header)) return undefined;
  return {
    traceId: header.slice(3, 35),
    spanId: header.slice(36, 52),
    isSampled: (Number.parseInt(header.slice(53), 16) & 1) === 1,
  };
}

/**
 * Creates the W3C `traceparent` header of an outbound call, with a new span id. If the submission had a well-formed
 * header, the call continues that trace with its flags. Otherwise the execution's id is the trace id, so that all workers
 * use the same trace, also after a restart, and `isSampled` sets the flags. `random` returns 64 bits as two numbers in
 * [0, 1); `parent` is the header of the submission.
 */
export function traceparentOf(
  executionId: string,
  parent: string | undefined,
  random: () => number,
  isSampled: boolean = false,
): string {
  const span = `${word(random())}${word(random())}`;
  if (parent !== undefined && form.test(parent)) return `${parent.slice(0, 36)}${span}${parent.slice(52)}`;
  return `00-${executionId.replaceAll('-', '')}-${span}-${isSampled ? '01' : '00'}`;
}

const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_byte, value) => value.toString(16).padStart(2, '0'));

/**
 * 32 bits as hex; never all zero, because an id of zeros is invalid. Uses a table, because `toString(16)` divides doubles
 * and every call needs two words.
 */
function word(share: number): string {
  const bits = Math.floor(share * 0xffff_ffff) + 1;
  let text = '';
  for (let shift = 24; shift >= 0; shift -= 8) text += hexOfByte[(bits >>> shift) & 0xff] as string;
  return text;
}

/** The trace id that {@link traceparentOf} uses, for log lines. */
export function traceIdOf(executionId: string, parent: string | undefined): string {
  return parent !== undefined && form.test(parent) ? parent.slice(3, 35) : executionId.replaceAll('-', '');
}

/** The id of the span of a round. Every process computes the same id, so calls can name the span before it ends. */
export function roundSpanIdOf(executionId: string, round: number): string {
  return hash('sha256', `${executionId}:${String(round)}`).slice(0, 16);
}
