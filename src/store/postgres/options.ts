/**
 * How to reach Postgres: options as the configuration has them, and the URL with several hosts that libpq knows.
 */
import type { ShowStep } from '../../ports/listing.ts';
import type { StoreFault } from '../../ports/store.ts';

/** TLS towards the server. */
export interface PostgresTls {
  /** PEM text of the authorities that are trusted; without it, the well-known ones. */
  readonly ca?: string;
  /** PEM text of the client's certificate and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the server's certificate has to be for; default: the host. */
  readonly serverName?: string;
  /** Whether the server's certificate is checked; default true. */
  readonly rejectUnauthorized?: boolean;
  /** What an error of a connection has to do with the configuration; stands in brackets behind it. */
  readonly explain?: (error: Error) => string | undefined;
}

/** How to open the store. Either `url`, or host and the rest. */
export interface PostgresStoreOptions {
  /**
   * `postgres://user:password@host1:5432,host2:5432/database`, hosts tried in order. `target_session_attrs=read-write` keeps
   * only a host that takes writes; it is the default where there are several hosts, `any` where there is one. `sslmode`
   * `require`, `verify-ca` and `verify-full` turn TLS on where `ssl` does not say.
   */
  readonly url?: string;
  /** One host, or several parted by commas. */
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  readonly ssl?: boolean | PostgresTls;
  /** How the server names the connections; default `trama`, by which a promotion knows servers that are running. */
  readonly applicationName?: string;
  /** Connections in all, from 2; default 10. One more is held by {@link Store.soleWorker}. */
  readonly maxConnections?: number;
  /** Connections that are kept however long they are idle, default 1; others are closed after ten minutes. */
  readonly minConnections?: number;
  /** Connections that opening makes ready for what executions need, in the background; default 0. */
  readonly warmConnections?: number;
  /** Longest time of a statement that reads much or removes old rows; default 30 000. Others have 2 s at most. */
  readonly statementTimeoutMillis?: number;
  /** Whether opening brings an older schema up to date; default true. False: an older one is refused. */
  readonly migrate?: boolean;
  /** What lists show of large outputs; without it, the whole. */
  readonly showStep?: ShowStep;
  /** Told of trouble that no caller waits to hear about. Must not throw. */
  readonly onFault?: (fault: StoreFault) => void;
}

/** One server of several. */
export interface Host {
  readonly host: string;
  readonly port: number;
}

/** What a connection needs. */
export interface Target {
  readonly hosts: readonly Host[];
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly tls: false | PostgresTls;
  readonly applicationName?: string;
  /** Whether a host is kept only when it takes writes. */
  readonly mustWrite: boolean;
}

const defaultPort = 5432;

function parseHosts(text: string, port: number): readonly Host[] {
  return text.split(',').map((part) => {
    const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(part);
    const host = match?.[1] ?? match?.[2];
    const own = match?.[3] === undefined ? port : Number(match[3]);
    // Not as it is: where a password is not percent-encoded, a part of it is taken for a host.
    if (host === undefined || own < 1 || own > 65_535) {
      throw new Error('A host of Postgres must be a name or an address, with a port or without.');
    }
    return { host, port: own };
  });
}

function decode(part: string | undefined): string | undefined {
  if (part === undefined || part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error('The URL of Postgres has a malformed percent-encoding.');
  }
}

interface ParsedUrl {
  readonly hosts: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly parameters: URLSearchParams;
}

/** `URL` knows no lists of hosts. */
function parseUrl(url: string): ParsedUrl {
  const match = /^postgres(?:ql)?:\/\/(?:([^@/]*)@)?([^/?#@]+)(?:\/([^?#@]*))?(?:\?([^#]*))?$/.exec(url);
  if (match === null)
    throw new Error(
      'The URL of Postgres must be postgres://user:password@host:port/database, with what is special in a URL percent-encoded.',
    );
  const [, credentials = '', hosts = '', database, query = ''] = match;
  const colon = credentials.indexOf(':');
  return {
    hosts,
    user: decode(colon < 0 ? credentials : credentials.slice(0, colon)),
    password: colon < 0 ? undefined : decode(credentials.slice(colon + 1)),
    database: decode(database),
    parameters: new URLSearchParams(query),
  };
}

function mustWriteOf(attributes: string | null, hosts: number): boolean {
  switch (attributes) {
    case null:
      return hosts > 1;
    case 'any':
      return false;
    case 'read-write':
    case 'primary':
      return true;
    default:
      throw new Error(`Postgres: target_session_attrs=${attributes} is of no use here: Trama writes.`);
  }
}

/** Files that libpq would read from a URL: ignoring them would leave a server unchecked, or a certificate unshown. */
function refuseFiles(parameters: URLSearchParams): void {
  for (const [name, key] of Object.entries(filesOfLibpq)) {
    if (parameters.has(name)) throw new Error(`The URL of Postgres has ${name}, which belongs into ${key}.`);
  }
}

const filesOfLibpq = {
  sslrootcert: 'database.ssl.caFile',
  sslcert: 'database.ssl.certFile',
  sslkey: 'database.ssl.keyFile',
};

function tlsOf(ssl: PostgresStoreOptions['ssl'], mode: string | null): false | PostgresTls {
  if (ssl === true) return {};
  if (ssl !== undefined) return ssl;
  if (mode === null || mode === 'disable' || mode === 'allow' || mode === 'prefer') return false;
  // As libpq has it: `require` encrypts without asking who is there.
  return mode === 'require' ? { rejectUnauthorized: false } : {};
}

/**
 * What a connection needs, from the options; the parts of the URL come first.
 *
 * @throws Error with a sentence that never shows the password.
 */
export function targetOf(options: PostgresStoreOptions): Target {
  const url = options.url === undefined ? undefined : parseUrl(options.url);
  const hosts = parseHosts(url?.hosts ?? options.host ?? '127.0.0.1', options.port ?? defaultPort);
  const user = url?.user ?? options.user ?? 'postgres';
  const parameters = url?.parameters;
  if (parameters !== undefined) refuseFiles(parameters);
  return {
    hosts,
    user,
    password: url?.password ?? options.password,
    database: url?.database ?? options.database ?? user,
    ...(options.applicationName === undefined ? undefined : { applicationName: options.applicationName }),
    tls: tlsOf(options.ssl, parameters?.get('sslmode') ?? null),
    mustWrite: mustWriteOf(parameters?.get('target_session_attrs') ?? null, hosts.length),
  };
}
