/** Keys of existing Trama that nobody needs any more: accepted with a warning, so that its files serve here, too. */

/** Groups and keys, with everything below them. */
const prefixes = ['rateLimit', 'redis.pool', 'runtime.store', 'redis.consumer', 'redis.producer'];

/** Whether only existing Trama knows the path. Scanners had keys under several names. */
export function isLegacyPath(path: string): boolean {
  return (
    prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}.`)) ||
    path.split('.').some((part) => /scanner/i.test(part))
  );
}
