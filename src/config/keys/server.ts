import { BlockList, isIP } from 'node:net';
import type { SectionKeys } from '../key.ts';
import { choice, flag, integer, list, optional, text } from '../kinds.ts';
import { pemFile } from './tls.ts';
import { authKeys } from './auth.ts';

/** A name, an IPv4 address, or an IPv6 address in brackets, with or without a port. */
const hostPattern = /^(?:[\w-]+(?:\.[\w-]+)*|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** Keys of the HTTP server, security, metrics and logs. */
export const serverKeys: SectionKeys<'server' | 'security' | 'metrics' | 'logging'> = {
  'server.host': {
    meaning:
      'Address to listen on. Any other than a loopback address needs authentication, or `security.allowUnauthenticated`. ' +
      'Also `HOST`.',
    kind: text('a host name or an IP address', /^[\w.:%-]+$/),
    default: '127.0.0.1',
  },
  'server.port': {
    meaning: 'Port to listen on; 0 takes a free one. Also `PORT`.',
    kind: integer(0, 65_535),
    default: 8080,
  },
  'server.basePath': {
    meaning:
      'Path prefix under which a proxy in front hands requests on without removing it, such as `/trama`. Everything is then served below it ' +
      'as well as at the root. A proxy that removes its prefix needs no setting.',
    kind: optional(text('a path that begins with a slash and does not end with one', /^(?:\/[\w.~-]+)+$/)),
    default: undefined,
  },
  'server.trustedProxies': {
    meaning:
      'Proxies in front of the server, as IP addresses or networks. The address of a caller (for rate limits and the audit ' +
      'log) is then what they say in X-Forwarded-For; from anybody else that header counts for nothing.',
    kind: list('IP addresses or networks, such as 10.0.0.0/8', isNetwork),
    default: [],
  },
  'server.allowedHosts': {
    meaning:
      'Without authentication, the only hosts under which the server answers, also with `security.allowUnauthenticated`: the `Host` of a ' +
      'request must be one of them, so that no web page whose name resolves to this server can use it. Each with a port, or without one ' +
      'for any. A list replaces the default. Health routes, callbacks, and `/metrics` by an IP address (beyond loopback) need none.',
    kind: list('a list of hosts as in a URL, such as trama.example or [::1]:8080', (item) => hostPattern.test(item)),
    derived: {
      text: 'localhost, 127.0.0.1, [::1] and the host of `runtime.callback.baseUrl`',
      from: (read) => {
        const host = URL.parse(read('runtime.callback.baseUrl') ?? '')?.hostname;
        return [...new Set(['localhost', '127.0.0.1', '[::1]', ...(host === undefined ? [] : [host])])];
      },
    },
  },
  'server.api': {
    meaning:
      'Whether the API is served. With false the process answers at `/healthz`, `/readyz` and `/metrics` only, as workers do that get no requests.',
    kind: flag,
    default: true,
  },
  'server.tls.certFile': {
    meaning: 'PEM file with the certificate chain. With it the server speaks HTTPS only; needs `server.tls.keyFile`.',
    kind: pemFile,
    default: undefined,
  },
  'server.tls.keyFile': {
    meaning: 'PEM file with the private key of `server.tls.certFile`.',
    kind: pemFile,
    default: undefined,
  },
  'server.tls.clientCaFile': {
    meaning: 'PEM file with the authorities of client certificates. With it, clients without one are refused.',
    kind: pemFile,
    default: undefined,
  },
  'security.allowUnauthenticated': {
    meaning:
      'Allows listening beyond loopback without authentication, although any client that reaches the port may then do everything.',
    kind: flag,
    default: false,
  },
  ...authKeys,
  'security.limits.maxRequestBytes': {
    meaning: 'Largest body of a request to the API; a larger one is answered 413.',
    unit: 'bytes',
    kind: integer(1024, 268_435_456),
    default: 1_048_576,
  },
  'security.limits.maxDefinitionBytes': {
    meaning: 'Largest definition.',
    unit: 'bytes',
    kind: integer(1024, 67_108_864),
    default: 262_144,
  },
  'security.limits.maxDefinitionNodes': {
    meaning: 'Most nodes, or steps, of a definition.',
    kind: integer(1, 100_000),
    default: 500,
  },
  'security.limits.maxJsonDepth': {
    meaning: 'Deepest nesting of JSON in definitions. Requests as a whole may nest 64 levels.',
    kind: integer(4, 64),
    default: 64,
  },
  'security.limits.maxRenderedRequestBytes': {
    meaning:
      'Largest request that a call sends: URL, headers and body together, once their templates are filled in. A larger one is ' +
      'unsent, without retry.',
    unit: 'bytes',
    kind: integer(1024, 67_108_864),
    default: 1_048_576,
  },
  'security.limits.maxEvaluationSteps': {
    meaning:
      'Most steps (tags, rounds of a section, operators, items; texts by their length) of the templates of one call, of one other ' +
      'template, or of one condition. A call beyond it is unsent, a condition is false or a failure as if it had thrown. While one is ' +
      'evaluated nothing else happens: 100 000 steps take about 50 ms.',
    kind: integer(100, 10_000_000),
    default: 100_000,
  },
  'security.limits.maxOpenRequests': {
    meaning: 'Most requests that wait (`waitMillis`) or follow events at a time; more are answered 429.',
    kind: integer(1, 1_000_000),
    default: 1000,
  },
  'security.limits.maxOpenRequestsPerCaller': {
    meaning:
      'Most of those requests of one caller: of one API key or token subject, or without authentication of one address. More are ' +
      'answered 429, while others still find a place.',
    kind: optional(integer(1, 1_000_000)),
    default: undefined,
    defaultText: 'half of `security.limits.maxOpenRequests`',
  },
  'security.limits.maxHistoryBodyBytes': {
    meaning: 'Bodies in the history are cut after this many bytes. Templates always see the whole body.',
    unit: 'bytes',
    kind: integer(0, 16_777_216),
    default: 65_536,
  },
  'security.limits.failedAuthPerMinute': {
    meaning:
      'Requests with wrong credentials from one address; more are answered 429. As many may come at once. API keys that are ' +
      'right, and tokens that were good in the last ten minutes, are not affected.',
    kind: integer(1, 1_000_000),
    default: 30,
  },
  'security.limits.callbacksPerExecution': {
    meaning:
      'Callbacks of one execution per second, with a good signature; more are answered 429. Ten times as many may come at once.',
    kind: integer(1, 1_000_000),
    default: 100,
  },
  'security.limits.callbacksPerAddress': {
    meaning: 'Callbacks from one address per second; more are answered 429. Ten times as many may come at once.',
    kind: integer(1, 10_000_000),
    default: 5000,
  },
  'metrics.enabled': { meaning: 'Serves Prometheus metrics at `/metrics`.', kind: flag, default: true },
  'metrics.public': {
    meaning: 'Whether `/metrics` is served to callers without credentials; else it needs the role viewer.',
    kind: flag,
    default: true,
  },
  'logging.level': {
    meaning: 'The least severe log lines that are written.',
    kind: choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    default: 'info',
  },
  'logging.format': {
    meaning: 'One JSON document per line, or lines for people.',
    kind: optional(choice('json', 'pretty')),
    default: undefined,
    defaultText: 'json (pretty on a terminal)',
  },
};

/** Whether a text is an IP address, with or without a prefix length. */
function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (prefix === undefined) return true;
  try {
    new BlockList().addSubnet(address, /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1, version === 4 ? 'ipv4' : 'ipv6');
    return true;
  } catch {
    return false;
  }
}
