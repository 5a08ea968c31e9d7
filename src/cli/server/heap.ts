/**
 * How much memory the server takes beyond what it needs, and how much work it is to keep it so. Left alone V8 lets the young
 * generation grow to 128 MiB and the old one to several times what lives in it: some 390 MiB under load, where 60 are in use.
 *
 * The young generation's bound, `--max-semi-space-size`, counts only on the command line: it is in the first line of
 * `main.ts`, in the scripts of `package.json` and in the image.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * By how much of what survived the last full collection the old generation may grow before the next one, in percent. With 30 a third
 * of a saturated pod's processor time went into collecting garbage; 100 takes 20 MiB more.
 */
const growingPercent = 60;

/** Lets V8 collect garbage as a pod with a core or two should. A second call changes nothing. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${String(growingPercent)}`);
  // A young generation this small is collected faster than helpers for it wake up: alone it takes a tenth of a core less under load.
  setFlagsFromString('--no-parallel-scavenge');
}
