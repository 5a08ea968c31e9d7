/** What a chaos test measured, for people. */
import type { Load } from './load.ts';

/** Prints and answers how long it took until everything was over that was under way at `since`, in ms. */
export function report(what: string, load: Load, since: number): number {
  const recovered = load.recoveryMillis(since);
  const { p50, p99 } = load.durations(0, since - 5_000);
  const normal = Number.isNaN(p50) ? '' : ` (normal: p50 ${String(p50)} ms, p99 ${String(p99)} ms)`;
  print(`${what}: all that was under way was over after ${String(recovered)} ms${normal}`);
  return recovered;
}

/** Prints a line. */
export function print(line: string): void {
  process.stderr.write(`${line}\n`);
}
