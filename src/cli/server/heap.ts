/**
 * Bounds the memory that the server takes beyond its needs, and the work of doing so. By default V8 lets the young
 * generation grow to 128 MiB and the old one to several times its live size: some 390 MiB under load, where 60 are in
 * use.
 *
 * The bound of the young generation, `--max-semi-space-size`, counts only on the command line: it is in the first line
 * of `main.ts`, in the scripts of `package.json` and in the image.
 */
import { setFlagsFromString } from 'node:v8';

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
}
