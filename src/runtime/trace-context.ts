/**
 * The W3C `traceparent` header of outbound calls. Its trace is the caller's where the run came with one; else the
 * execution's id is the trace id, so that every worker and every restart gives the same.
 */

const form = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** `random` gives 64 bits as two numbers in [0, 1); `parent` is the run's own header, used when it is well-formed. */
export function traceparentOf(executionId: string, parent: string | undefined, random: () => number): string {
  const span = `${word(random())}${word(random())}`;
  if (parent !== undefined && form.test(parent)) return `${parent.slice(0, 36)}${span}${parent.slice(52)}`;
  return `00-${executionId.replaceAll('-', '')}-${span}-00`;
}

/** 32 bits as hex; never all zero, since an id of zeros is none. */
function word(share: number): string {
  return (Math.floor(share * 0xffff_ffff) + 1).toString(16).padStart(8, '0').slice(-8);
}

/** The trace id that {@link traceparentOf} uses, for log lines. */
export function traceIdOf(executionId: string, parent: string | undefined): string {
  return parent !== undefined && form.test(parent) ? parent.slice(3, 35) : executionId.replaceAll('-', '');
}
