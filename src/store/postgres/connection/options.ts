/**
 * How to reach Postgres: options as the configuration has them, and the URL with several hosts that libpq knows.
 */
import type { ShowStep } from '../../../ports/listing.ts';
import type { StoreFault } from '../../../ports/store.ts';
import { parsePostgresUrl, type ChannelBinding, type SslMode, type TargetSession } from './url.ts';

/** TLS towards the server. */
export interface PostgresTls {
  /** PEM text of the authorities that are trusted; without it, the well-known ones. Each connection reads the texts anew. */
  readonly ca?: string | undefined;
  /** PEM text of the client's certificate and its key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate has to be for; default: the host. */
  readonly serverName?: string | undefined;
  /** Whether the server's certificate is checked; default true. */
  readonly rejectUnauthorized?: boolean;
  /** Whether the name in the server's certificate is checked; default true. */
  readonly checkName?: boolean;
  /** Whether a server that has no TLS is good, too; default false. */
  readonly isOptional?: boolean;
  /** What an error of a connection has to do with the configuration; stands in brackets behind it. */
  readonly explain?: (error: Error) => string | undefined;
}

/** How to open the store. Either `url`, or host and the rest. */
export interface PostgresStoreOptions {
  /**
   * `postgres://user:password@host1:5432,host2:5432/database`, hosts tried in order. `target_session_attrs=read-write` keeps
   * only a host that takes writes; it is the default where there are several hosts, `any` where there is one. `sslmode`
   * turns TLS on where `ssl` does not say. See {@link parsePostgresUrl} for the other parameters.
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
  readonly channelBinding: ChannelBinding;
  readonly applicationName?: string;
  /** For one connection, to be ready. */
  readonly connectTimeoutMillis?: number;
  /** Run-time parameters that every connection sets. */
  readonly settings: Readonly<Record<string, string>>;
  /** Whether a host is kept only when it takes writes. */
  readonly mustWrite: boolean;
}

const defaultPort = 5432;

function parseHosts(text: string, port: number): readonly Host[] {
  return text.split(',').map((part) => {
    const match = /^(?:\[([^\]]+)\]|(\/[^:]*)|([^:[\]/]+))(?::(\d{1,5}))?$/.exec(part);
    const host = match?.[1] ?? match?.[2] ?? match?.[3];
    const own = match?.[4] === undefined ? port : Number(match[4]);
    // Not as it is: where a password is not percent-encoded, a part of it is taken for a host.
    if (host === undefined || own < 1 || own > 65_535) {
      throw new Error(
        'A host of Postgres must be a name, an address or the folder of a socket, with a port or without.',
      );
    }
    return { host, port: own };
  });
}

/** Whether a connection to that host goes through a socket of this machine, by the folder that holds it. */
export function isSocket(host: string): boolean {
  return host.startsWith('/');
}

function mustWriteOf(session: TargetSession | undefined, hosts: number): boolean {
  return session === undefined ? hosts > 1 : session !== 'any';
}

/** As libpq has it: `require` encrypts without asking who is there, `verify-ca` without asking for its name. */
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
 * What a connection needs, from the options; the parts of the URL come first.
 *
 * @throws Error with a sentence that never shows the password.
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
