/**
 * Bounds the memory that the server takes beyond its needs, and the work of doing so. By default V8 lets the young
 * generation grow to 128 MiB and the old one to several times its live size: some 390 MiB under load, where 60 are in
 * use. The bound of the young generation counts only where a process begins: see `process-settings.ts`.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * How far the old generation may grow beyond the live size at the last full collection before the next one, in percent.
 * With 30 a third of a saturated pod's processor time went into collecting garbage; 100 takes 20 MiB more.
 */
const growingPercent = 60;

/** Makes V8 collect garbage as suits a pod with a core or two. A second call changes nothing. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${String(growingPercent)}`);
  // Collecting so small a young generation is faster than waking up helper threads: a single thread saves a tenth of a
  // core under load.
  setFlagsFromString('--no-parallel-scavenge');
  // This heap has taken its bound. The store's thread has a smaller one, which the flag would override.
  setFlagsFromString('--max-semi-space-size=0');
}

/**
 * Returns to the system what only the start needed: 11 MiB of garbage, and a young generation grown to 16 MiB that an idle
 * process would not fill again for an hour. Blocks for some 60 ms, so it belongs before the server listens.
 */
export function returnStartMemory(): void {
  // V8 hands out its collector to contexts that are created while this flag is set.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: {
    readonly type: 'major';
    readonly flavor: 'last-resort';
  }) => void;
  setFlagsFromString('--no-expose-gc');
  // Only the last resort also shrinks the young generation and frees its pages.
  collect({ type: 'major', flavor: 'last-resort' });
}
