/** The parts of a connection URL; undefined where the URL leaves them out. */
export interface PostgresUrl {
  /** Hosts with ports, separated by commas, as {@link parseHosts} reads them; or the folder of a Unix socket. */
  readonly hosts: string | undefined;
  readonly port: number | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly applicationName: string | undefined;
  readonly sslMode: SslMode | undefined;
  readonly channelBinding: ChannelBinding | undefined;
  readonly connectTimeoutMillis: number | undefined;
  readonly targetSession: TargetSession | undefined;
  /** Run-time parameters that every connection sets, by their names in lower case. */
  readonly settings: Readonly<Record<string, string>>;
}

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
const channelBindings = ['disable', 'prefer', 'require'] as const;
const targetSessions = ['any', 'read-write', 'primary'] as const;

/** As libpq names them (Postgres documentation, "SSL Mode Descriptions"). */
export type SslMode = (typeof sslModes)[number];
/** Whether SCRAM ties the password to the TLS connection (RFC 5802, RFC 5929). */
export type ChannelBinding = (typeof channelBindings)[number];
/** Accepted kinds of servers. The other kinds of libpq are read-only or standby servers, which Trama cannot use. */
export type TargetSession = (typeof targetSessions)[number];

/** Files that libpq reads. Ignoring these would skip a check of the server or omit the client's certificate. */
const filesOfLibpq: Readonly<Record<string, string>> = {
  sslrootcert: 'database.ssl.caFile',
  sslcert: 'database.ssl.certFile',
  sslkey: 'database.ssl.keyFile',
};

/** Run-time parameters that Trama sets on each connection, with the configuration key for them, if any. */
const ownSettings: Readonly<Record<string, string>> = {
  statement_timeout: 'database.statementTimeoutMillis',
  lock_timeout: '',
  idle_in_transaction_session_timeout: '',
  idle_session_timeout: '',
  jit: '',
  enable_seqscan: '',
  enable_hashjoin: '',
  enable_mergejoin: '',
  plan_cache_mode: '',
  default_transaction_read_only: '',
  client_encoding: '',
};

/** A part of a URL that can be changed while its parameters are read. */
type Draft = { -readonly [Key in keyof PostgresUrl]: PostgresUrl[Key] } & { settings: Record<string, string> };

type Reader = (draft: Draft, value: string, name: string) => void;

function refuse(name: string, why: string): never {
  throw new Error(`The URL of Postgres has the parameter ${name}, ${why}.`);
}

function oneOf<T extends string>(name: string, values: readonly T[], value: string): T {
  const found = values.find((each) => each === value);
  return found ?? refuse(name, `which is one of ${values.join(', ')}`);
}

const searchPath: Reader = (draft, value) => {
  draft.settings['search_path'] = value;
};

const oneSchema: Reader = (draft, value) => {
  draft.settings['search_path'] = `"${value.replaceAll('"', '""')}"`;
};

/** Readers of the parameters. The last occurrence of a parameter wins, as in libpq. */
const parameters: Readonly<Record<string, Reader>> = {
  host: (draft, value) => {
    draft.hosts = value;
  },
  port: (draft, value) => {
    draft.port = /^\d{1,5}$/.test(value) ? Number(value) : refuse('port', 'which is a number up to 65535');
  },
  user: (draft, value) => {
    draft.user = value;
  },
  password: (draft, value) => {
    draft.password = value;
  },
  dbname: (draft, value) => {
    draft.database = value;
  },
  application_name: (draft, value) => {
    draft.applicationName = value;
  },
  sslmode: (draft, value) => {
    draft.sslMode = oneOf('sslmode', sslModes, value);
  },
  ssl: (draft, value) => {
    // As in the JDBC driver: `true` checks the server's certificate and its name.
    draft.sslMode = oneOf('ssl', ['true', 'false'], value) === 'true' ? 'verify-full' : 'disable';
  },
  channel_binding: (draft, value) => {
    draft.channelBinding = oneOf('channel_binding', channelBindings, value);
  },
  connect_timeout: (draft, value) => {
    if (!/^\d{1,4}$/.test(value)) refuse('connect_timeout', 'which is a number of seconds');
    // As in libpq: 0 means the default, and the minimum is two seconds.
    if (Number(value) > 0) draft.connectTimeoutMillis = Math.max(2, Number(value)) * 1000;
  },
  target_session_attrs: (draft, value) => {
    const known: readonly string[] = targetSessions;
    if (!known.includes(value)) {
      throw new Error(`Postgres: target_session_attrs=${value} is of no use here: Trama writes.`);
    }
    draft.targetSession = value as TargetSession;
  },
  schema: oneSchema,
  currentschema: searchPath,
  search_path: searchPath,
  options: (draft, value) => {
    for (const [name, setting] of readOptions(value)) {
      const key = ownSettings[name];
      if (key !== undefined) {
        const where = key === '' ? '' : `; use ${key}`;
        refuse('options', `which sets ${name}: Trama sets that itself on each connection${where}`);
      }
      draft.settings[name] = setting;
    }
  },
  client_encoding: (_draft, value, name) => {
    if (!/^(?:utf-?8|unicode|auto)$/i.test(value)) refuse(name, 'which must be UTF8');
  },
  gssencmode: (_draft, value, name) => {
    if (value === 'require') refuse(name, 'and Trama has no GSSAPI: use disable, with TLS');
  },
};

/** Reads `-c name=value`, `-cname=value` and `--name=value`, separated by blanks; a backslash escapes the next character. */
function readOptions(text: string): readonly (readonly [string, string])[] {
  const words = (text.match(/(?:\\.|[^\s\\])+/gs) ?? []).map((word) => word.replace(/\\(.)/gs, '$1'));
  const read: [string, string][] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const setting = word === '-c' ? (words[++i] ?? '') : word.replace(/^(?:--|-c)/, '');
    const match = word.startsWith('-') ? /^([a-z_][\w.-]*)=(.*)$/is.exec(setting) : null;
    const [, name, value] = match ?? [];
    if (name === undefined || value === undefined) refuse('options', 'of which Trama reads only "-c name=value"');
    read.push([name.replaceAll('-', '_').toLowerCase(), value]);
  }
  return read;
}

function decode(part: string | undefined): string | undefined {
  if (part === undefined || part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error('The URL of Postgres has a malformed percent-encoding.');
  }
}

function readQuery(draft: Draft, query: string): void {
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = decode(at < 0 ? pair : pair.slice(0, at)) ?? '';
    const value = at < 0 ? '' : (decode(pair.slice(at + 1)) ?? '');
    const file = filesOfLibpq[name];
    if (file !== undefined) throw new Error(`The URL of Postgres has ${name}, which belongs into ${file}.`);
    const key = name.toLowerCase();
    const reader = Object.hasOwn(parameters, key) ? parameters[key] : undefined;
    if (reader === undefined) {
      refuse(name, `which Trama does not know; it knows ${Object.keys(parameters).join(', ')}`);
    }
    reader(draft, value, name);
  }
}

/**
 * Parses `postgres://user:password@host1:port,host2:port/database?parameters`. Node's `URL` does not support lists of hosts. A
 * host that begins with a slash, percent-encoded before the path or as the parameter `host`, is the folder of a Unix socket.
 *
 * @throws Error with a sentence that never contains the password, for a malformed URL and for a parameter that is unknown or
 *   has an unsupported value.
 */
export function parsePostgresUrl(url: string): PostgresUrl {
  const match = /^postgres(?:ql)?:\/\/(?:([^@/]*)@)?([^/?#@]*)(?:\/([^?#@]*))?(?:\?([^#]*))?$/.exec(url);
  const [, credentials = '', hosts = '', database, query = ''] = match ?? [];
  // A part of a password that is not percent-encoded could be taken for a parameter and shown in an error.
  if (match === null || query.includes('@')) throw new Error(malformed);
  const colon = credentials.indexOf(':');
  const draft: Draft = {
    hosts: hosts === '' ? undefined : /%2f/i.test(hosts) ? decode(hosts) : hosts,
    port: undefined,
    user: decode(colon < 0 ? credentials : credentials.slice(0, colon)),
    password: colon < 0 ? undefined : decode(credentials.slice(colon + 1)),
    database: decode(database),
    applicationName: undefined,
    sslMode: undefined,
    channelBinding: undefined,
    connectTimeoutMillis: undefined,
    targetSession: undefined,
    settings: {},
  };
  readQuery(draft, query);
  if (draft.hosts === undefined) throw new Error(malformed);
  return draft;
}

const malformed =
  'The URL of Postgres must be postgres://user:password@host:port/database, or postgres://user@/database?host=/folder for a ' +
  'Unix socket, with what is special in a URL percent-encoded.';
