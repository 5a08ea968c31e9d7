import { hostname } from 'node:os';
import type { SectionKeys } from '../key.ts';
import { choice, flag, integer, list, optional, text } from '../kinds.ts';
import { tlsKeys, tlsNames } from './tls.ts';

const maxMillis = 86_400_000;

/** Keys of the queue. */
export const redisKeys: SectionKeys<'redis'> = {
  'redis.topology': {
    meaning: 'Where the queue is: `NONE` keeps it in this process.',
    kind: choice('NONE', 'STANDALONE', 'CLUSTER'),
    derived: {
      text: '`STANDALONE` with `redis.url`, `CLUSTER` with `redis.cluster.nodes`, else `NONE`',
      from: (read) => {
        if (read('redis.cluster.nodes').length > 0) return 'CLUSTER';
        return read('redis.url') === undefined ? 'NONE' : 'STANDALONE';
      },
    },
  },
  'redis.url': {
    meaning: 'Redis standalone, as `redis://host:port` or `rediss://host:port` (TLS).',
    kind: optional(text('a URL that begins with redis:// or rediss://', /^rediss?:\/\/\S+$/)),
    default: undefined,
    secret: true,
  },
  'redis.cluster.nodes': {
    meaning:
      'Nodes of a Redis Cluster from which the others are learnt, as `host:port`. Three or more are safer than one.',
    kind: list('a list of host:port', (item) => /^(?:rediss?:\/\/)?(?:\[[\da-f:]+\]|[^\s:/@]+):\d{1,5}$/i.test(item)),
    default: [],
  },
  'redis.commandTimeoutMillis': {
    meaning: 'Longest time of one command; then Redis counts as away for it.',
    unit: 'ms',
    kind: integer(50, 60_000),
    default: 5000,
  },
  'redis.tls': {
    meaning: "Whether connections to Redis use TLS, with the server's certificate checked; `rediss://` says the same.",
    kind: flag,
    derived: {
      text: 'true with `rediss://` or any of `redis.tls.*`',
      from: (read) =>
        tlsNames.some((name) => read(`redis.tls.${name}`) !== undefined) ||
        [read('redis.url') ?? '', ...read('redis.cluster.nodes')].some((url) => /^rediss:/i.test(url)),
    },
  },
  ...tlsKeys('redis.tls', 'Redis'),
  'redis.username': {
    meaning: 'User at Redis (ACL).',
    kind: optional(text()),
    default: undefined,
  },
  'redis.password': {
    meaning: 'Password at Redis.',
    kind: optional(text()),
    default: undefined,
    secret: true,
  },
  'redis.queue.keyPrefix': {
    meaning: 'Begins all keys of the queue. Processes that share executions must have the same.',
    kind: text('a text without spaces and braces', /^[^\s{}]+$/),
    default: 'trama:executions',
  },
  'redis.queue.consumer.batchSize': {
    meaning: 'Most executions that one look into the queue hands over. Holds without Redis, too.',
    kind: integer(1, 10_000),
    default: 50,
  },
  'redis.queue.consumer.processingTimeoutMillis': {
    meaning:
      'Lease of an execution: without a renewal for that long another worker takes it over. Holds without Redis, too.',
    unit: 'ms',
    kind: integer(1000, maxMillis),
    default: 10_000,
  },
  'redis.sharding.virtualShardCount': {
    meaning:
      'Parts into which the queue is divided between the processes; several times as many as there will ever be processes. ' +
      'Changes once all living processes are configured with the new number.',
    kind: integer(1, 16_384),
    default: 64,
  },
  'redis.sharding.podId': {
    meaning: 'Name of this process among the others; must be its own.',
    kind: text('a text without spaces', /^\S+$/),
    derived: { text: "the system's host name", from: () => hostname() },
  },
  'redis.sharding.membershipKey': {
    meaning: 'Key of the set in which the processes say that they live.',
    kind: text('a text without spaces', /^\S+$/),
    default: 'trama:pods',
  },
  'redis.sharding.membershipTtlMillis': {
    meaning: 'A process that was not heard of for so long loses its shards to the others.',
    unit: 'ms',
    kind: integer(500, maxMillis),
    default: 10_000,
  },
  'redis.sharding.heartbeatIntervalMillis': {
    meaning: 'How often a process says that it lives.',
    unit: 'ms',
    kind: integer(100, maxMillis),
    default: 3000,
  },
  'redis.sharding.refreshIntervalMillis': {
    meaning: 'How often it looks who else does. Both happen at once, at the shorter of the two intervals.',
    unit: 'ms',
    kind: integer(100, maxMillis),
    default: 2000,
  },
  'redis.sharding.claimerCount': {
    meaning: 'Requests for due executions that are under way at once, in units of eight shards.',
    kind: integer(1, 1000),
    derived: {
      text: '`runtime.workerCount`, at most 4',
      from: (read) => Math.min(read('runtime.workerCount'), 4),
    },
  },
};
