import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, type ConfigInput, type LoadedConfig } from './load.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'trama-config-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Loads the text of a file named `trama.yaml`. */
function load(text: string, rest: Partial<ConfigInput> = {}): LoadedConfig {
  return loadConfig({ env: {}, directory, fileText: { text, name: 'trama.yaml' }, ...rest });
}

function problemsOf(loaded: LoadedConfig): readonly string[] {
  return loaded.ok ? [] : loaded.problems;
}

function good(loaded: LoadedConfig): Extract<LoadedConfig, { ok: true }> {
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  return loaded;
}

const sourceOf = (loaded: LoadedConfig, path: string): string | undefined =>
  good(loaded).effective.find((value) => value.path === path)?.source;

/** The shortest valid secret of a callback key. */
const longSecret = '0123456789abcdef0123456789abcdeg';

it('binds secrets to hosts', () => {
  const hosts = { API_KEY: ['api.example', '*.partner.example:443', '[::1]:80'], UNUSED: [] };
  expect(good(load(JSON.stringify({ secrets: { hosts } }))).config.secrets.hosts).toEqual(hosts);
  const env = { SECRETS_HOSTS: JSON.stringify(hosts) };
  expect(good(load('{}', { env })).config.secrets.hosts).toEqual(hosts);
});

describe('the defaults', () => {
  it('are those of the reference and need nothing else', () => {
    const { config, warnings } = good(loadConfig({ env: {}, directory }));
    expect(warnings).toEqual([]);
    expect(config.server).toEqual({
      host: '127.0.0.1',
      port: 8080,
      trustedProxies: [],
      allowedHosts: ['localhost', '127.0.0.1', '[::1]'],
      api: true,
      tls: { certFile: undefined, keyFile: undefined, clientCaFile: undefined },
    });
    expect(config.runtime).toMatchObject({
      enabled: true,
      workerCount: 256,
      prefetch: 256,
      drainTimeoutMillis: 35_000,
    });
    expect(config.http).toMatchObject({ maxTimeoutMillis: 900_000, perHost: { maxConcurrency: 128, overrides: {} } });
    expect(config.database).toMatchObject({
      driver: 'EMBEDDED',
      dataDir: './trama-data',
      pool: { maxPoolSize: 10, minIdle: 1 },
      statementTimeoutMillis: 30_000,
    });
    expect(config.redis).toMatchObject({
      topology: 'NONE',
      commandTimeoutMillis: 5000,
      queue: { keyPrefix: 'trama:executions', consumer: { batchSize: 50, processingTimeoutMillis: 10_000 } },
    });
    expect(config.redis.sharding).toEqual({
      virtualShardCount: 64,
      podId: hostname(),
      membershipKey: 'trama:pods',
      membershipTtlMillis: 10_000,
      heartbeatIntervalMillis: 3000,
      refreshIntervalMillis: 2000,
      claimerCount: 4,
    });
    expect(config.http.egress).toMatchObject({ allow: [], deny: [], allowPrivateFromData: [], allowPrivate: true });
    expect(config.maintenance).toEqual({
      enabled: true,
      retentionDays: 15,
      partitionLookaheadMonths: 3,
      intervalMillis: 3_600_000,
    });
    expect(Object.isFrozen(config.http.egress.tls)).toBe(true);
  });

  it('infers the backends from what says where they are', () => {
    const inferred = (text: string): unknown[] => {
      const { database, redis } = good(load(text)).config;
      return [database.driver, redis.topology];
    };
    expect(inferred('database: { host: db }')).toEqual(['POSTGRES', 'NONE']);
    expect(inferred('database: { url: "postgres://db/x" }\nredis: { url: "redis://a" }')).toEqual([
      'POSTGRES',
      'STANDALONE',
    ]);
    expect(inferred('database: { host: db }\nredis: { cluster: { nodes: "a:1, b:2, [::1]:3" } }')).toEqual([
      'POSTGRES',
      'CLUSTER',
    ]);
    expect(inferred('database: { driver: EMBEDDED, host: db }')).toEqual(['EMBEDDED', 'NONE']);
  });

  it('turns TLS on with any key of it, or by its flag alone', () => {
    const of = (text: string, env = {}): unknown[] => {
      const { database, redis } = good(load(text, { env })).config;
      return [database.ssl.isOn, redis.tls.isOn, database.ssl.caFile, redis.tls.serverName];
    };
    expect(of('')).toEqual([false, false, undefined, undefined]);
    expect(of('database: { ssl: true }\nredis: { tls: "true" }')).toEqual([true, true, undefined, undefined]);
    expect(of('database: { ssl: { caFile: /ca } }\nredis: { tls: { serverName: r } }')).toEqual([
      true,
      true,
      '/ca',
      'r',
    ]);
    expect(of('database.ssl.caFile: /ca\ndatabase: { ssl: true }')).toEqual([true, false, '/ca', undefined]);
    expect(of('', { DATABASE_SSL: 'true', DATABASE_SSL_CAFILE: '/ca', REDIS_TLS_SERVERNAME: 'r' })).toEqual([
      true,
      true,
      '/ca',
      'r',
    ]);
    const cluster = 'database: { host: a }\nredis: { cluster: { nodes: ["rediss://a:1", "b:2", "c:3"] } }';
    expect(of(cluster)).toEqual([false, true, undefined, undefined]);
    expect(of('database: { host: a }\nredis: { url: "rediss://a" }')[1]).toBe(true);
    expect(of('redis: { tls: {} }\ndatabase: { ssl: null }')).toEqual([false, false, undefined, undefined]);
    const shown = good(load('redis: { tls: { caFile: /ca } }')).effective.filter(({ path }) =>
      path.startsWith('redis.tls'),
    );
    expect(shown.map(({ path, value }) => [path, value]).slice(0, 2)).toEqual([
      ['redis.tls', true],
      ['redis.tls.caFile', '/ca'],
    ]);
  });

  it('reads a share from a file, and from text', () => {
    const ratioOf = (text: string, env = {}): number => good(load(text, { env })).config.telemetry.sampleRatio;
    expect(ratioOf('')).toBe(1);
    expect(ratioOf('telemetry: { sampleRatio: 0.25 }')).toBe(0.25);
    expect(ratioOf('', { TELEMETRY_SAMPLERATIO: ' .5 ' })).toBe(0.5);
    expect(ratioOf('', { TELEMETRY_SAMPLERATIO: '1e-3' })).toBe(0.001);
    for (const bad of ['1.5', '-0.1', '50%', '0x1', 'NaN']) {
      expect(problemsOf(load('', { env: { TELEMETRY_SAMPLERATIO: bad } }))).toEqual([
        expect.stringContaining('must be a number from 0 to 1'),
      ]);
    }
  });
});

describe('precedence', () => {
  const text = 'server: { port: 1001 }';

  it('is defaults, file, PORT, SERVER_PORT, flags', () => {
    const env = { PORT: '1002', SERVER_PORT: '1003' };
    const flags = [{ path: 'server.port', value: '1004', flag: '--port' }];
    expect(good(load('')).config.server.port).toBe(8080);
    expect(good(load(text)).config.server.port).toBe(1001);
    expect(good(load(text, { env: { PORT: '1002' } })).config.server.port).toBe(1002);
    expect(good(load(text, { env })).config.server.port).toBe(1003);
    expect(good(load(text, { env, flags })).config.server.port).toBe(1004);
  });

  it('is told per key', () => {
    const flags = [{ path: 'logging.level', value: 'warn', flag: '--set' }];
    const loaded = load(text, { env: { HOST: '::1' }, flags });
    expect(sourceOf(loaded, 'server.port')).toBe('file trama.yaml');
    expect(sourceOf(loaded, 'server.host')).toBe('environment variable HOST');
    expect(sourceOf(loaded, 'logging.level')).toBe('flag --set');
    expect(sourceOf(loaded, 'runtime.workerCount')).toBe('default');
  });

  it('takes an empty environment variable as not set', () => {
    expect(good(load(text, { env: { PORT: '' } })).config.server.port).toBe(1001);
  });

  it('takes single variables over the map', () => {
    const loaded = load('vars: { A: file, B: file }', { env: { TRAMA_VAR_B: 'env', TRAMA_VAR_C: 'env' } });
    expect(good(loaded).config.vars).toEqual({ A: 'file', B: 'env', C: 'env' });
    expect(sourceOf(loaded, 'vars')).toBe(
      'file trama.yaml, environment variable TRAMA_VAR_B, environment variable TRAMA_VAR_C',
    );
  });
});

describe('environment variables', () => {
  it('read lists, maps, numbers and words', () => {
    const { config } = good(
      load('', {
        env: {
          HTTP_EGRESS_ALLOW: 'api.example.com, *.example.org,10.0.0.0/8',
          HTTP_PERHOST_OVERRIDES: '{"slow.example.com:443": 2}',
          VARS: '{"REGION": "eu"}',
          RUNTIME_WORKERCOUNT: '10_000',
          METRICS_ENABLED: 'FALSE',
          LOGGING_FORMAT: 'Pretty',
          RUNTIME_CALLBACK_KEYS: `[{"kid": "a", "secret": "${longSecret}"}]`,
        },
      }),
    );
    expect(config.http.egress.allow).toEqual(['api.example.com', '*.example.org', '10.0.0.0/8']);
    expect(config.http.perHost.overrides).toEqual({ 'slow.example.com:443': 2 });
    expect(config.vars).toEqual({ REGION: 'eu' });
    expect(config.runtime.workerCount).toBe(10_000);
    expect(config.metrics.enabled).toBe(false);
    expect(config.logging.format).toBe('pretty');
    expect(config.runtime.callback.keys).toEqual([{ kid: 'a', secret: longSecret }]);
  });
});

describe('placeholders', () => {
  it('bring in variables, defaults, files and the host name', () => {
    const file = join(directory, 'token');
    writeFileSync(file, 'from ${FILE}\n');
    const text = `
      vars:
        A: \${A}
        B: "\${B:-none}"
        C: "\${EMPTY:-filled}"
        D: "\${file:${file}}"
        E: on \${HOSTNAME}
        F: "$\${A}"
      server: { port: "\${P:-9000}" }`;
    const { config } = good(load(text, { env: { A: 'a ${B}', EMPTY: '' } }));
    expect(config.vars).toEqual({
      A: 'a ${B}',
      B: 'none',
      C: 'filled',
      D: 'from ${FILE}',
      E: `on ${hostname()}`,
      F: '${A}',
    });
    expect(config.server.port).toBe(9000);
  });

  it('that cannot be filled are problems', () => {
    expect(problemsOf(load('vars: { A: "${NOPE} ${file:/nowhere/x} ${a b}" }'))).toEqual([
      'vars (from file trama.yaml) needs the environment variable NOPE, which is not set.',
      'vars (from file trama.yaml) needs the file /nowhere/x, which cannot be read (ENOENT).',
      'vars (from file trama.yaml) has a placeholder that is none of ${VAR}, ${VAR:-default} and ${file:/path}; $${ stands for ${.',
    ]);
  });
});

describe('finding the file', () => {
  it('takes --config over TRAMA_CONFIG over trama.yaml', () => {
    const at = (name: string, port: number): string => {
      const path = join(directory, name);
      writeFileSync(path, `server: { port: ${port} }`);
      return path;
    };
    at('trama.yaml', 1001);
    const named = at('named.yaml', 1002);
    const flagged = at('flagged.yaml', 1003);
    const port = (input: Partial<ConfigInput>): number =>
      good(loadConfig({ env: {}, directory, ...input })).config.server.port;
    expect(port({})).toBe(1001);
    expect(port({ env: { TRAMA_CONFIG: named } })).toBe(1002);
    expect(port({ env: { TRAMA_CONFIG: named }, configFile: flagged })).toBe(1003);
  });

  it('reports a named one that is not there', () => {
    expect(problemsOf(loadConfig({ env: { TRAMA_CONFIG: '/nowhere.yaml' }, directory }))).toEqual([
      'The configuration file /nowhere.yaml, which TRAMA_CONFIG names, cannot be read (ENOENT).',
    ]);
    expect(problemsOf(loadConfig({ env: {}, directory, configFile: '/nowhere.yaml' }))).toEqual([
      'The configuration file /nowhere.yaml cannot be read (ENOENT).',
    ]);
  });
});

const where = '(from file trama.yaml)';
const openHost = 'security: { allowUnauthenticated: true }';

/** Invalid files, each with the resulting problems. */
const bad: readonly (readonly [text: string, ...problems: string[]])[] = [
  ['server: { port: 70000 }', `server.port ${where} must be a whole number from 0 to 65535, not 70000.`],
  ['redis: { tls: { ca: x } }', `redis.tls.ca ${where} is not a key of Trama`],
  ['redis: { tls: { certFile: x } }', 'redis.tls.certFile needs redis.tls.keyFile.'],
  ['database: { ssl: { keyFile: x } }', 'database.ssl.keyFile needs database.ssl.certFile.'],
  [
    'database: { ssl: false }\ndatabase.ssl.caFile: x\nredis: { tls: sometimes }',
    `redis.tls ${where} must be true or false, not "sometimes".`,
  ],
  [
    'database: { ssl: false }\ndatabase.ssl.caFile: x\nredis.tls: false\nredis.tls.serverName: y',
    `database.ssl ${where} is false, so database.ssl.caFile counts for nothing.`,
    `redis.tls ${where} is false, so redis.tls.serverName counts for nothing.`,
  ],
  ['redis: { tls: { serverName: "a b" } }', `redis.tls.serverName ${where} must be a host name, not "a b".`],
  ['server: { port: 80.5 }', `server.port ${where} must be a whole number from 0 to 65535, not 80.5.`],
  ['server: { port: [1] }', `server.port ${where} must be a whole number from 0 to 65535, not [1].`],
  ['server: { host: 12 }', `server.host ${where} must be a host name or an IP address, not 12.`],
  ['server: { hots: x }', `server.hots ${where} is not a key of Trama; did you mean server.host?`],
  ['SERVER: { host: x }', `SERVER ${where} is not a key of Trama.`],
  ['server.prot: 1', `server.prot ${where} is not a key of Trama; did you mean server.port?`],
  ['http: { proxy: "http://p" }', `http.proxy ${where} is not a key of Trama; did you mean http.egress.proxy?`],
  ['frobnicate: 1', `frobnicate ${where} is not a key of Trama.`],
  ['server: 8080', `server ${where} is a group of keys and cannot have a value of its own.`],
  ['- a', 'The file trama.yaml must hold keys with values.'],
  ['a: [', 'The file trama.yaml is not YAML: '],
  ['vars: &a {x: *a}', 'The file trama.yaml is not YAML: Converting circular structure'],
  ['a: [*b]', 'The file trama.yaml is not YAML: Unresolved alias'],
  ['runtime: { enabled: yes please }', `runtime.enabled ${where} must be true or false, not "yes please".`],
  ['runtime: { workerCount: 0 }', `runtime.workerCount ${where} must be a whole number from 1 to 10000, not 0.`],
  [
    'runtime: { maxNodeVisits: 20, maxNodeVisitsCap: 10 }',
    `runtime.maxNodeVisits ${where} is 20, more than runtime.maxNodeVisitsCap ${where}, which is 10.`,
  ],
  [
    'runtime: { callback: { baseUrl: "ftp://x" } }',
    `runtime.callback.baseUrl ${where} must be an http or https URL without query and fragment, not "ftp://x".`,
  ],
  [
    'runtime: { callback: { hmacSecret: 123 } }',
    `runtime.callback.hmacSecret ${where} must be a text that is not empty.`,
  ],
  [
    'runtime: { callback: { keys: [{ kid: a, secret: "" }] } }',
    `runtime.callback.keys ${where} must be a list of { kid, secret } with non-empty secrets and kids of letters, digits, _ and -.`,
  ],
  [
    `runtime: { callback: { hmacSecret: ${longSecret.slice(1)} } }`,
    `The callback key default of runtime.callback.hmacSecret ${where} has a secret of less than 32 characters: `,
  ],
  [
    `runtime: { callback: { keys: [{ kid: a, secret: ${longSecret} }, { kid: b, secret: "${' '.repeat(20)}short" }] } }`,
    `The callback key b of runtime.callback.keys ${where} has a secret of less than 32 characters: `,
  ],
  [
    `runtime: { callback: { keys: [{ kid: default, secret: ${longSecret} }], hmacSecret: ${longSecret} } }`,
    `runtime.callback.keys ${where} and runtime.callback.hmacKid name more than one key default.`,
  ],
  ['database: { driver: ORACLE }', `database.driver ${where} must be EMBEDDED or POSTGRES, not "ORACLE".`],
  [
    'database: { driver: postgres }',
    `database.driver ${where} is POSTGRES, and neither database.url nor database.host says where it is.`,
  ],
  [
    'database: { url: "mysql://user:pw@x/y" }',
    `database.url ${where} must be a URL that begins with postgres:// or postgresql://.`,
  ],
  [
    'redis: { topology: CLUSTER }\ndatabase: { host: a }',
    `redis.topology ${where} is CLUSTER, and redis.cluster.nodes is empty.`,
  ],
  [
    'redis: { topology: STANDALONE }\ndatabase: { host: a }',
    `redis.topology ${where} is STANDALONE, and redis.url does not say where it is.`,
  ],
  [
    'redis: { url: "redis://a" }',
    'redis.topology (the default) is STANDALONE, but the embedded store belongs to one process, which needs no shared queue: set database.url, or leave Redis out.',
  ],
  ['redis: { cluster: { nodes: [a] } }', `redis.cluster.nodes ${where} must be a list of host:port, not ["a"].`],
  [
    'redis: { queue: { keyPrefix: "a{b" } }',
    `redis.queue.keyPrefix ${where} must be a text without spaces and braces, not "a{b".`,
  ],
  [
    'redis: { sharding: { membershipTtlMillis: 5000 } }',
    `redis.sharding.membershipTtlMillis ${where} is 5000, less than two heartbeats (6000): one that is late would make living processes lose their shards.`,
  ],
  [
    'security: { auth: { enabled: true } }',
    `security.auth.enabled ${where} is true, but there is neither an API key nor a token issuer, so every request would be refused. \`trama keys create\` makes a key.`,
  ],
  [
    'secrets: { hosts: { A: ["http://b"] } }',
    `secrets.hosts ${where} must be a map from names of secrets to lists of host, host:port, *.suffix or *.suffix:port, with or without https:// before it, not {"A":["http://b"]}.`,
  ],
  [
    'metrics: { public: false }',
    `metrics.public ${where} is false, but without authentication callers cannot be told apart: set ` +
      'metrics.enabled to false instead, or configure security.auth.',
  ],
  [
    'server: { host: 0.0.0.0 }',
    `server.host ${where} is 0.0.0.0, which is not a loopback address, and there is no authentication: ` +
      'configure security.auth.apiKeys or security.auth.jwt, or set security.allowUnauthenticated to true if everybody who reaches the port may do everything.',
  ],
  ['server: { tls: { certFile: a } }', 'server.tls.certFile needs server.tls.keyFile.'],
  ['server: { tls: { clientCaFile: a } }', 'server.tls.clientCaFile needs server.tls.certFile and server.tls.keyFile.'],
  ['http: { egress: { tls: { keyFile: a } } }', 'http.egress.tls.keyFile needs http.egress.tls.certFile.'],
  [
    'http: { egress: { deny: ["https://x"] } }',
    `http.egress.deny ${where} must be a list of host names, *.suffixes, IP addresses and CIDR ranges, not ["https://x"].`,
  ],
  [
    'http: { egress: { allow: "10.0.0.0/33" } }',
    `http.egress.allow ${where} must be a list of host names, *.suffixes, IP addresses and CIDR ranges, not "10.0.0.0/33".`,
  ],
  [
    'http: { perHost: { overrides: { a: 0 } } }',
    `http.perHost.overrides ${where} must be a map from host or host:port to whole numbers from 1 to 100000, not {"a":0}.`,
  ],
  ['vars: { A: 1 }', `vars ${where} must be a map from names of letters, digits and _ to texts, not {"A":1}.`],
  ['vars: nope', `vars ${where} must be a map from names of letters, digits and _ to texts, not "nope".`],
  [
    'logging: { level: loud }',
    `logging.level ${where} must be fatal, error, warn, info, debug, trace or silent, not "loud".`,
  ],
  [
    'server: { port: x }\nruntime: { workerCount: y }\nnonsense: 1',
    `nonsense ${where} is not a key of Trama.`,
    `server.port ${where} must be a whole number from 0 to 65535, not "x".`,
    `runtime.workerCount ${where} must be a whole number from 1 to 10000, not "y".`,
  ],
];

describe('bad values', () => {
  it.each(bad)('%s', (text, ...expected) => {
    const problems = problemsOf(load(text));
    expect(problems.length).toBe(expected.length);
    for (const [index, sentence] of expected.entries()) expect(problems[index]).toContain(sentence);
  });

  it('are reported in every source, also where a later one would win', () => {
    const flags = [
      { path: 'server.port', value: '1', flag: '--port' },
      { path: 'server.nope', value: '1', flag: '--set server.nope' },
    ];
    expect(problemsOf(load('server: { port: a }', { env: { PORT: 'b' }, flags }))).toEqual([
      'server.nope (from flag --set server.nope) is not a key of Trama.',
      'server.port (from file trama.yaml) must be a whole number from 0 to 65535, not "a".',
      'server.port (from environment variable PORT) must be a whole number from 0 to 65535, not "b".',
    ]);
  });

  it('never show a secret', () => {
    const loaded = load('', { env: { RUNTIME_CALLBACK_KEYS: '[{"kid": "a b", "secret": "hunter2hunter2"}]' } });
    expect(JSON.stringify(loaded)).not.toContain('hunter2');
    expect(problemsOf(loaded)).toHaveLength(1);
  });

  it('of an environment variable for an empty secret are reported', () => {
    expect(problemsOf(load('', { env: { RUNTIME_CALLBACK_HMACSECRET: '' } }))).toEqual([
      'runtime.callback.hmacSecret (from environment variable RUNTIME_CALLBACK_HMACSECRET) must be a text that is not empty, and it is empty.',
    ]);
  });
});

describe('warnings', () => {
  it.each([
    [
      'database: { host: db }\nredis: { cluster: { nodes: [a:7000] } }',
      'redis.cluster.nodes names 1 of the nodes: should these be away at the start, no other is found.',
    ],
    [
      'redis: { sharding: { membershipTtlMillis: 8000 } }',
      'redis.sharding.membershipTtlMillis (8000) is less than three heartbeats (9000): two that are late make this process lose its shards.',
    ],
    [
      'runtime: { drainTimeoutMillis: 1000 }',
      'runtime.drainTimeoutMillis (1000) is below http.requestTimeoutMillis + 1000 (31000): a stop will cut off calls, whose outcome is then unknown.',
    ],
    ['runtime: { enabled: false }', 'runtime.enabled is false: executions are accepted, but nothing runs them.'],
    [
      `server: { host: 0.0.0.0 }\n${openHost}`,
      'runtime.callback.baseUrl is not set, so async nodes cannot run: downstreams would not know where to call back.',
    ],
  ])('%s', (text, warning) => {
    expect(good(load(text)).warnings).toEqual([warning]);
  });

  it('do not come from what asks for nothing', () => {
    expect(good(load('security: { auth: { enabled: false } }\nredis: { cluster: { nodes: [] } }')).warnings).toEqual(
      [],
    );
  });
});
