/** A group or key that only existing Trama knows. */
export interface LegacyKey {
  /** The path, including everything below it; with `*` at its end, every path that begins so. */
  readonly path: string;
  /** A sentence: the key that replaces it, or why none is needed. */
  readonly instead: string;
}

const leases = 'redis.queue.consumer.batchSize and redis.queue.consumer.processingTimeoutMillis take its place.';
const timers = 'Times that are due are read from the store by the pod that owns them; there is nothing to set.';

/**
 * All groups and keys of existing Trama that have no effect here. They are ignored with a warning that names their
 * replacement, so that existing configuration files start this server, too. The reference page lists them.
 */
export const legacyKeys: readonly LegacyKey[] = [
  { path: 'runtime.bufferSize', instead: 'runtime.prefetch says how many executions a pod claims ahead.' },
  {
    path: 'runtime.emptyPollDelayMillis',
    instead: 'Pods are woken instead of polling; runtime.fullSweepIntervalMillis is the interval of the safety net.',
  },
  { path: 'runtime.store', instead: 'database.driver and database.url say where executions are stored.' },
  {
    path: 'rateLimit',
    instead:
      'http.perHost.maxConcurrency bounds the calls to each host, and security.limits.* bounds requests to the API.',
  },
  {
    path: 'http.socketTimeoutMillis',
    instead: 'http.requestTimeoutMillis bounds a whole call, http.connectTimeoutMillis its connection.',
  },
  {
    path: 'maintenance.partitionStartOffsetMonths',
    instead: 'Partitions are made from the current month on; maintenance.partitionLookaheadMonths says how far ahead.',
  },
  {
    path: 'database.pool.definitionCache*',
    instead: 'Definitions never change once stored, so every pod keeps those in use without a setting.',
  },
  {
    path: 'database.circuitBreaker',
    instead:
      'While the store is away the API answers 503 and executions wait; database.statementTimeoutMillis bounds each statement.',
  },
  { path: 'sleep', instead: timers },
  {
    path: 'reconciler',
    instead: 'Every pod compares the queue of its shards with the store every two seconds; there is nothing to set.',
  },
  { path: 'redis.consumer', instead: leases },
  {
    path: 'redis.producer',
    instead: 'Executions are put into the queue from the store; redis.commandTimeoutMillis bounds each command.',
  },
  { path: 'redis.pool', instead: 'A pod keeps the few connections to Redis that it needs; there is nothing to set.' },
];

/** Scanners had keys under several names. */
const scanner: LegacyKey = { path: 'scanner', instead: timers };

/** The legacy key of this path; undefined for every other path. */
export function findLegacyKey(path: string): LegacyKey | undefined {
  const found = legacyKeys.find((key) => isBelow(path, key.path, '.'));
  return found ?? (path.split('.').some((part) => /scanner/i.test(part)) ? scanner : undefined);
}

/**
 * The legacy key with this environment variable. Excludes groups whose name is a single word, since `SLEEP_…` may
 * belong to another program.
 */
export function findLegacyVariable(name: string): LegacyKey | undefined {
  return legacyKeys.find(({ path }) => path.includes('.') && isBelow(name, variableOf(path), '_'));
}

function isBelow(name: string, key: string, separator: string): boolean {
  if (key.endsWith('*')) return name.startsWith(key.slice(0, -1));
  return name === key || name.startsWith(`${key}${separator}`);
}

function variableOf(path: string): string {
  return path.toUpperCase().replaceAll('.', '_');
}
