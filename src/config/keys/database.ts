import type { SectionKeys } from '../key.ts';
import { choice, flag, integer, optional, text } from '../kinds.ts';
import { tlsKeys, tlsNames } from './tls.ts';

/** Keys of the store. */
export const databaseKeys: SectionKeys<'database'> = {
  'database.driver': {
    meaning: 'Where executions are kept: `EMBEDDED` is a directory of this machine, for one process.',
    kind: choice('EMBEDDED', 'POSTGRES'),
    derived: {
      text: '`POSTGRES` with `database.url` or `database.host`, else `EMBEDDED`',
      from: (read) =>
        read('database.url') === undefined && read('database.host') === undefined ? 'EMBEDDED' : 'POSTGRES',
    },
  },
  'database.dataDir': {
    meaning: 'Directory of the embedded store; made if absent. One process at a time.',
    kind: text('the path of a directory'),
    default: './trama-data',
  },
  'database.url': {
    meaning:
      'Postgres, as `postgres://user:password@host:port/database`. Several hosts, separated by commas, are tried in order ' +
      'until one can be written to.',
    kind: optional(text('a URL that begins with postgres:// or postgresql://', /^postgres(?:ql)?:\/\/\S+$/)),
    default: undefined,
    secret: true,
  },
  'database.host': {
    meaning: 'Host of Postgres, or the folder of its Unix socket, where there is no `database.url`.',
    kind: optional(text('a host name, an address or the folder of a socket', /^(?:[^\s/@]+|\/[^\s@]*)$/)),
    default: undefined,
  },
  'database.port': {
    meaning: 'Port of `database.host`.',
    kind: integer(1, 65_535),
    default: 5432,
  },
  'database.database': {
    meaning: 'Name of the database on `database.host`.',
    kind: text('the name of a database'),
    default: 'trama',
  },
  'database.user': {
    meaning: 'User on `database.host`.',
    kind: optional(text('the name of a user')),
    default: undefined,
  },
  'database.password': {
    meaning: 'Password of `database.user`.',
    kind: optional(text()),
    default: undefined,
    secret: true,
  },
  'database.ssl': {
    meaning:
      "Whether connections to Postgres use TLS, with the server's certificate checked. Wins over `sslmode` of `database.url`.",
    kind: flag,
    derived: {
      text: 'true with any of `database.ssl.*`',
      from: (read) => tlsNames.some((name) => read(`database.ssl.${name}`) !== undefined),
    },
  },
  ...tlsKeys('database.ssl', 'Postgres'),
  'database.pool.maxPoolSize': {
    meaning: 'Most connections of this process to Postgres.',
    kind: integer(2, 1000),
    default: 10,
  },
  'database.pool.minIdle': {
    meaning: 'Connections that are kept open however long nothing happens; others are closed after ten idle minutes.',
    kind: integer(0, 1000),
    default: 1,
  },
  'database.statementTimeoutMillis': {
    meaning: 'Longest time of one statement, at the server and here; then the store counts as away.',
    unit: 'ms',
    kind: integer(100, 600_000),
    default: 30_000,
  },
};
