import type { ShowStep } from '../../../ports/listing.ts';
import type { StoreFault } from '../../../ports/store.ts';
import { parsePostgresUrl, type ChannelBinding, type SslMode, type TargetSession } from './url.ts';

/** TLS options of the connection to the server. */
export interface PostgresTls {
  /** PEM text of the trusted authorities; default: Node's built-in ones. Each new connection reads the texts again. */
  readonly ca?: string | undefined;
  /** PEM text of the client's certificate and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must match; default: the host. */
  readonly serverName?: string | undefined;
  /** Whether the server's certificate is checked; default true. */
  readonly rejectUnauthorized?: boolean;
  /** Whether the name in the server's certificate is checked; default true. */
  readonly checkName?: boolean;
  /** Whether to connect without TLS to a server that has none; default false. */
  readonly isOptional?: boolean;
  /** Explains a connection error in terms of the configuration; the message has the explanation in brackets. */
  readonly explain?: (error: Error) => string | undefined;
}

/** Options of the store: either `url`, or `host` and the other fields. */
export interface PostgresStoreOptions {
  /**
   * `postgres://user:password@host1:5432,host2:5432/database`, hosts tried in order. `target_session_attrs=read-write` keeps
   * only a writable host; it is the default with several hosts, `any` with one. `sslmode` applies if `ssl` is absent. See
   * {@link parsePostgresUrl} for the other parameters.
   */
  readonly url?: string;
  /** One host, or several separated by commas. */
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  readonly ssl?: boolean | PostgresTls;
  /** Application name of the connections; default `trama`, by which a promotion detects running servers. */
  readonly applicationName?: string;
  /** Maximum number of connections, at least 2; default 10. {@link Store.soleWorker} holds one more. */
  readonly maxConnections?: number;
  /** Connections kept open while idle, default 1; others close after ten idle minutes. */
  readonly minConnections?: number;
  /** Connections that `open` warms up in the background for the statements of executions; default 0. */
  readonly warmConnections?: number;
  /** Timeout of statements of lists, retention and the schema; default 30 000. Others have 2 s at most. */
  readonly statementTimeoutMillis?: number;
  /** Whether `open` migrates an older schema (default) or refuses it. */
  readonly migrate?: boolean;
  /** Shortens large outputs for lists; without it, lists show them in full. */
  readonly showStep?: ShowStep;
  /** Called for faults outside of any call. Must not throw. */
  readonly onFault?: (fault: StoreFault) => void;
}

/** One server of several. */
export interface Host {
  readonly host: string;
  readonly port: number;
}

/** Everything needed to connect. */
export interface Target {
  readonly hosts: readonly Host[];
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly tls: false | PostgresTls;
  readonly channelBinding: ChannelBinding;
  readonly applicationName?: string;
  /** Limit for establishing one connection. */
  readonly connectTimeoutMillis?: number;
  /** Run-time parameters that every connection sets. */
  readonly settings: Readonly<Record<string, string>>;
  /** Whether only writable hosts are accepted. */
  readonly mustWrite: boolean;
}

const defaultPort = 5432;

function parseHosts(text: string, port: number): readonly Host[] {
  return text.split(',').map((part) => {
    const match = /^(?:\[([^\]]+)\]|(\/[^:]*)|([^:[\]/]+))(?::(\d{1,5}))?$/.exec(part);
    const host = match?.[1] ?? match?.[2] ?? match?.[3];
    const own = match?.[4] === undefined ? port : Number(match[4]);
    // The message omits the host: it may be a part of a password that is not percent-encoded.
    if (host === undefined || own < 1 || own > 65_535) {
      throw new Error(
        'A host of Postgres must be a name, an address or the folder of a socket, with a port or without.',
      );
    }
    return { host, port: own };
  });
}

/** Whether the host is the folder of a Unix socket. */
export function isSocket(host: string): boolean {
  return host.startsWith('/');
}

function mustWriteOf(session: TargetSession | undefined, hosts: number): boolean {
  return session === undefined ? hosts > 1 : session !== 'any';
}

/** As in libpq: `require` encrypts without checking the certificate, `verify-ca` checks it but not its name. */
function tlsOf(ssl: PostgresStoreOptions['ssl'], mode: SslMode | undefined): false | PostgresTls {
  if (ssl === true) return {};
  if (ssl !== undefined) return ssl;
  switch (mode) {
    case undefined:
    case 'disable':
      return false;
    case 'allow':
    case 'prefer':
      return { rejectUnauthorized: false, isOptional: true };
    case 'require':
      return { rejectUnauthorized: false };
    case 'verify-ca':
      return { checkName: false };
    case 'verify-full':
      return {};
  }
}

/**
 * Derives the target from the options; parts of the URL take precedence.
 *
 * @throws Error with a sentence that never contains the password.
 */
export function targetOf(options: PostgresStoreOptions): Target {
  const url = options.url === undefined ? undefined : parsePostgresUrl(options.url);
  const hosts = parseHosts(url?.hosts ?? options.host ?? '127.0.0.1', url?.port ?? options.port ?? defaultPort);
  const user = url?.user ?? options.user ?? 'postgres';
  const applicationName = options.applicationName ?? url?.applicationName;
  return {
    hosts,
    user,
    password: url?.password ?? options.password,
    database: url?.database ?? options.database ?? user,
    ...(applicationName === undefined ? undefined : { applicationName }),
    tls: tlsOf(options.ssl, url?.sslMode),
    channelBinding: url?.channelBinding ?? 'disable',
    ...(url?.connectTimeoutMillis === undefined ? undefined : { connectTimeoutMillis: url.connectTimeoutMillis }),
    settings: url?.settings ?? {},
    mustWrite: mustWriteOf(url?.targetSession, hosts.length),
  };
}
