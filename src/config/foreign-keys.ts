/**
 * Keys that are known by name but do nothing here: those of features that this build does not have, and
 * those of existing Trama that nobody needs any more. They are accepted with a warning, so that one file serves several
 * installations.
 */

/** What happens when a foreign key is given. */
type ForeignVerdict = { readonly kind: 'fine' } | { readonly kind: 'ignored'; readonly why: string };

const fine: ForeignVerdict = { kind: 'fine' };
const ignored = (why: string): ForeignVerdict => ({ kind: 'ignored', why });

/** Names below a dotted prefix; the empty name is the prefix itself. */
const groups: readonly (readonly [prefix: string, names: readonly string[]])[] = [
  ['security.limits', ['maxRenderedRequestBytes', 'maxEvaluationSteps']],
];

/** Paths of the keys of other builds. */
export const foreignPaths: readonly string[] = groups.flatMap(([prefix, names]) =>
  names.map((name) => `${prefix}.${name}`),
);

/** Groups and keys that only existing Trama has. */
const legacyPrefixes = ['rateLimit', 'redis.pool', 'runtime.store', 'redis.consumer', 'redis.producer'];

/** Whether only existing Trama knows the path. Scanners had keys under several names. */
export function isLegacyPath(path: string): boolean {
  return (
    legacyPrefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}.`)) ||
    path.split('.').some((part) => /scanner/i.test(part))
  );
}

function isEmpty(raw: unknown): boolean {
  if (raw === false || raw === 'false' || raw === '' || raw === null || raw === undefined) return true;
  return typeof raw === 'object' && Object.keys(raw).length === 0;
}

/** What to do about a foreign key with this value. */
export function judgeForeign(raw: unknown): ForeignVerdict {
  if (isEmpty(raw)) return fine;
  return ignored('has no effect in this build');
}
