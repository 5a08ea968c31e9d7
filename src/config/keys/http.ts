import { isIP } from 'node:net';
import type { SectionKeys } from '../key.ts';
import type { Kind } from '../kinds.ts';
import { flag, integer, list, map, optional, text } from '../kinds.ts';
import { pemFile } from './tls.ts';

const maxMillis = 86_400_000;

/** A host name, `*.suffix`, an IP address or a CIDR range. */
function isEgressEntry(entry: string): boolean {
  const [address = '', bits, ...rest] = entry.split('/');
  const bare = address.replace(/^\[(.*)\]$/, '$1');
  const version = isIP(bare);
  if (version !== 0) {
    if (bits === undefined) return true;
    return rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
  }
  return bits === undefined && /^(?:\*\.)?[\w-]+(?:\.[\w-]+)*\.?$/.test(address) && !/^[\d.]+$/.test(address);
}

type OwnRoute = 'callbacks' | 'all';

function isOwnRoute(word: string): boolean {
  return word === 'callbacks' || word === 'all';
}

const egressList = list('a list of host names, *.suffixes, IP addresses and CIDR ranges', isEgressEntry);

/** Keys of outbound calls. */
export const httpKeys: SectionKeys<'http'> = {
  'http.connectTimeoutMillis': {
    meaning: 'Longest time for name resolution, connection and TLS.',
    unit: 'ms',
    kind: integer(1, maxMillis),
    default: 10_000,
  },
  'http.requestTimeoutMillis': {
    meaning: 'Longest time of a whole call, where its definition does not say.',
    unit: 'ms',
    kind: integer(1, maxMillis),
    default: 30_000,
  },
  'http.maxTimeoutMillis': {
    meaning:
      'Longest `timeoutMillis` that a definition may give a call. Calls of definitions that were stored with more, and of `http.requestTimeoutMillis`, end after this time, too.',
    unit: 'ms',
    kind: integer(1, maxMillis),
    default: 900_000,
  },
  'http.maxResponseBytes': {
    meaning: 'Largest body of an answer after decoding; with a larger one the outcome is unknown.',
    unit: 'bytes',
    kind: integer(1024, 268_435_456),
    default: 1_048_576,
  },
  'http.maxRetryAfterMillis': {
    meaning: 'Longest wait that a Retry-After header is granted.',
    unit: 'ms',
    kind: integer(0, 7 * maxMillis),
    default: 3_600_000,
  },
  'http.perHost.maxConcurrency': {
    meaning:
      'Most calls at the same time to one scheme, host and port; executions whose calls find no free place wait as BLOCKED, and hold no place of the process.',
    kind: integer(1, 100_000),
    derived: {
      text: 'half of `runtime.workerCount`, at least 1',
      from: (read) => Math.max(1, Math.floor(read('runtime.workerCount') / 2)),
    },
  },
  'http.perHost.overrides': {
    meaning: 'Other limits for some hosts, by `host` or `host:port`. As an environment variable a JSON object.',
    kind: map('a map from host or host:port to whole numbers from 1 to 100000', /^[^\s/@]+$/, integer(1, 100_000)),
    default: {},
  },
  'http.egress.allow': {
    meaning: 'The only hosts that may be called; empty: all. Host names, `*.suffix`, IP addresses, CIDR ranges.',
    kind: egressList,
    default: [],
  },
  'http.egress.deny': {
    meaning: 'Hosts that may not be called, whatever else allows them. Cloud metadata addresses never may.',
    kind: egressList,
    default: [],
  },
  'http.egress.allowPrivateFromData': {
    meaning:
      'Private hosts that may be called although the host of the URL comes from a payload, a label or a response.',
    kind: egressList,
    default: [],
  },
  'http.egress.allowPrivate': {
    meaning: 'Whether private, loopback and link-local addresses may be called that `http.egress.allow` does not name.',
    kind: flag,
    default: true,
  },
  'http.egress.allowOwn': {
    meaning:
      'What calls may reach of this server itself: `callbacks` (its callback routes, which need a token each; at ' +
      '`runtime.callback.baseUrl` too, though it be private and come from data), `all`, or, with an empty list, nothing.',
    kind: list('a list of callbacks and all', isOwnRoute) as Kind<readonly OwnRoute[]>,
    default: ['callbacks'],
  },
  'http.egress.proxy': {
    meaning: 'HTTP proxy of all outbound calls. Behind it only names are checked.',
    kind: optional(text('an http or https URL', /^https?:\/\/[^\s/]+\/?$/)),
    default: undefined,
    secret: true,
  },
  'http.egress.tls.caFile': {
    meaning: 'PEM file with authorities that outbound calls trust besides the well-known ones.',
    kind: pemFile,
    default: undefined,
  },
  'http.egress.tls.certFile': {
    meaning: 'PEM file with the client certificate of outbound calls; needs `http.egress.tls.keyFile`.',
    kind: pemFile,
    default: undefined,
  },
  'http.egress.tls.keyFile': {
    meaning: 'PEM file with the private key of `http.egress.tls.certFile`.',
    kind: pemFile,
    default: undefined,
  },
};
