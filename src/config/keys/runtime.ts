import { getHeapStatistics } from 'node:v8';
import type { CallbackKey } from '../config.ts';
import type { SectionKeys } from '../key.ts';
import {
  baseUrl,
  flag,
  integer,
  isRecord,
  list,
  map,
  optional,
  parsedText,
  text,
  unreadable,
  type Kind,
} from '../kinds.ts';

/** Longest delay of a Node timer. */
const maxTimerMillis = 2_147_483_647;

/** Thirty days. Each call is a history row; at ten-minute intervals they are some four thousand. */
const maxDeliverMillis = 2_592_000_000;

/** A smaller bound might not fit one execution with a large payload. */
const minInHandBytes = 16 * 1024 * 1024;

/**
 * A quarter of the heap. The rest is for uncounted memory: requests, answers being sent, checkpoints, compiled
 * definitions.
 */
function heapQuarter(): number {
  return Math.floor(getHeapStatistics().heap_size_limit / 4);
}

const kidPattern = /^[\w-]{1,64}$/;

const callbackKeys: Kind<readonly CallbackKey[]> = {
  type: 'list of { kid, secret }',
  expected: 'a list of { kid, secret } with non-empty secrets and kids of letters, digits, _ and -',
  read(raw) {
    const value = parsedText(raw);
    if (!Array.isArray(value)) return unreadable;
    const keys: CallbackKey[] = [];
    for (const item of value as unknown[]) {
      if (!isRecord(item) || Object.keys(item).some((name) => name !== 'kid' && name !== 'secret')) return unreadable;
      const { kid, secret } = item;
      if (typeof kid !== 'string' || !kidPattern.test(kid)) return unreadable;
      if (typeof secret !== 'string' || secret.trim() === '') return unreadable;
      keys.push(Object.freeze({ kid, secret }));
    }
    return Object.freeze(keys);
  },
};

/** Whether a text is a host name or address, with or without a port; `*.suffix` covers every name below the suffix. */
function isSecretPlace(place: string): boolean {
  const [, wildcard, host = '', port] =
    /^(?:https:\/\/)?(\*\.)?([\w-]+(?:\.[\w-]+)*\.?|\[[\da-fA-F:.]+\])(?::(\d{1,5}))?$/.exec(place) ?? [];
  if (Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) return false;
  const canonical = URL.parse(`http://${host}`)?.hostname ?? '';
  return canonical !== '' && (wildcard === undefined || !/^[\d.]+$|^\[/.test(canonical));
}

/** Keys of the workers and of what executions use: hooks, variables, secrets, retention. */
export const runtimeKeys: SectionKeys<'runtime' | 'hooks' | 'vars' | 'secrets' | 'maintenance'> = {
  'runtime.enabled': { meaning: 'Runs executions; false serves the API only.', kind: flag, default: true },
  'runtime.workerCount': {
    meaning:
      'Places of this process: most executions that it has in hand at the same time. A call under way holds one; an execution that waits for a callback, a time, a retry, or a free place at a host holds none.',
    kind: integer(1, 10_000),
    default: 256,
  },
  'runtime.prefetch': {
    meaning: 'Executions claimed ahead of a free worker.',
    kind: integer(0, 10_000),
    derived: { text: '`runtime.workerCount`', from: (read) => read('runtime.workerCount') },
  },
  'runtime.maxInHandBytes': {
    meaning:
      'Approximate memory of all executions in hand (payloads, outputs and answers) beyond which this process claims nothing new and starts nothing directly.',
    unit: 'bytes',
    kind: integer(1_048_576, Number.MAX_SAFE_INTEGER),
    derived: { text: 'a quarter of the heap that Node may use', from: () => Math.max(minInHandBytes, heapQuarter()) },
  },
  'runtime.maxOutputBytes': {
    meaning:
      'Memory of one execution’s outputs beyond which they are read from the store when a template or condition asks for them. One that asks for more than that at once fails.',
    unit: 'bytes',
    kind: integer(65_536, 1_073_741_824),
    default: 33_554_432,
  },
  'runtime.maxStepsPerExecution': {
    meaning: 'Nodes after which an execution goes back to the queue, so that long ones do not hold workers.',
    kind: integer(1, 100_000),
    default: 25,
  },
  'runtime.maxNodeVisits': {
    meaning: 'Visits of nodes in one round after which an execution fails, where its definition does not say.',
    kind: integer(1, 100_000_000),
    default: 10_000,
  },
  'runtime.maxNodeVisitsCap': {
    meaning: 'Highest `maxNodeVisits` that a definition may ask for.',
    kind: integer(1, 100_000_000),
    default: 1_000_000,
  },
  'runtime.drainTimeoutMillis': {
    meaning: 'How long a stop waits for calls in flight. What still runs then is found interrupted at the next start.',
    unit: 'ms',
    kind: integer(0, maxTimerMillis),
    default: 35_000,
  },
  'runtime.livenessStallMillis': {
    meaning: 'A background loop without progress for this long makes `/healthz` fail.',
    unit: 'ms',
    kind: integer(1000, maxTimerMillis),
    default: 120_000,
  },
  'runtime.fullSweepIntervalMillis': {
    meaning: 'How often the process looks for all due executions, even without a wake-up.',
    unit: 'ms',
    kind: integer(100, maxTimerMillis),
    default: 5000,
  },
  'runtime.callback.baseUrl': {
    meaning:
      'URL under which downstreams reach this server. Async nodes need it wherever the server does not listen on loopback.',
    kind: optional(baseUrl),
    default: undefined,
    defaultText: 'the server’s own URL, on loopback',
  },
  'runtime.callback.hmacSecret': {
    meaning:
      'Signs callback tokens; at least 32 characters. Without any key the embedded store makes one and keeps it. Beside `runtime.callback.keys` it only verifies.',
    secret: true,
    kind: optional(text()),
    default: undefined,
  },
  'runtime.callback.hmacKid': {
    meaning: 'Name of the key `runtime.callback.hmacSecret`.',
    kind: text('up to 64 letters, digits, _ and -', kidPattern),
    default: 'default',
  },
  'runtime.callback.keys': {
    meaning: 'Keys of callback tokens: the first signs, all verify. As an environment variable a JSON array.',
    secret: true,
    kind: callbackKeys,
    default: [],
  },
  'hooks.maxMillis': {
    meaning:
      'Longest time that the retries of `onSuccessCallback` and `onFailureCallback` may take before the execution ends.',
    unit: 'ms',
    kind: integer(0, maxTimerMillis),
    default: 60_000,
  },
  'hooks.deliverMillis': {
    meaning: 'How long after the end of an execution its undelivered hook is retried in the background; 0: not at all.',
    unit: 'ms',
    kind: integer(0, maxDeliverMillis),
    default: 86_400_000,
  },
  vars: {
    meaning:
      'Variables, as `vars.<NAME>` in templates and conditions. Each also as `TRAMA_VAR_<NAME>`; all as a JSON object in `VARS`.',
    kind: map('a map from names of letters, digits and _ to texts', /^\w+$/, text('a text', /^/)),
    default: {},
  },
  'secrets.dir': {
    meaning: 'Directory with one file per secret, named like it; a line break at the end is dropped.',
    kind: optional(text('the path of a directory')),
    default: undefined,
  },
  'secrets.envPrefix': {
    meaning: 'Environment variables with this prefix are secrets, named by the rest.',
    kind: text('letters, digits and _', /^[A-Za-z_]\w*$/),
    default: 'TRAMA_SECRET_',
  },
  'secrets.hosts': {
    meaning:
      'The only places where a secret may be sent, by its name: lists of `host`, `host:port`, `*.suffix` or `*.suffix:port`, each with ' +
      '`https://` before it where only https will do. Secrets without a list may go to every host that a definition itself ' +
      'names, and to none that comes from data. As an environment variable a JSON object.',
    kind: map(
      'a map from names of secrets to lists of host, host:port, *.suffix or *.suffix:port, with or without https:// before it',
      /./,
      list('a list of hosts', isSecretPlace),
    ),
    default: {},
  },
  'maintenance.enabled': { meaning: 'Deletes old executions.', kind: flag, default: true },
  'maintenance.retentionDays': {
    meaning:
      'How long executions are kept after their end; CORRUPTED ones and those with unsettled unknown effects are kept for ever. An execution that another one started goes with the root of its family; one that must be kept keeps all of them.',
    unit: 'days',
    kind: integer(1, 36_500),
    default: 15,
  },
  'maintenance.partitionLookaheadMonths': {
    meaning: 'Months after the current one for which Postgres has partitions.',
    kind: integer(0, 120),
    default: 3,
  },
  'maintenance.intervalMillis': {
    meaning: 'How often the process looks for old executions.',
    unit: 'ms',
    kind: integer(1000, maxTimerMillis),
    default: 3_600_000,
  },
};
