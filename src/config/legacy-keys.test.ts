import { describe, expect, it } from 'vitest';
import { loadConfig, type ConfigInput, type LoadedConfig } from './load.ts';

const where = '(from file trama.yaml)';

function load(text: string, rest: Partial<ConfigInput> = {}): LoadedConfig {
  return loadConfig({ env: {}, fileText: { text, name: 'trama.yaml' }, ...rest });
}

describe('files of existing Trama', () => {
  it.each([
    ['rateLimit: { enabled: true, max: 5 }', 'rateLimit', 'http.perHost.maxConcurrency'],
    ['runtime: { store: { type: x } }', 'runtime.store', 'database.driver'],
    ['runtime: { bufferSize: 200 }', 'runtime.bufferSize', 'runtime.prefetch'],
    ['runtime.emptyPollDelayMillis: 5', 'runtime.emptyPollDelayMillis', 'runtime.fullSweepIntervalMillis'],
    ['runtime: { timeoutScanner: { intervalMillis: 1 } }', 'runtime.timeoutScanner', 'read from the store'],
    ['http: { socketTimeoutMillis: 1 }', 'http.socketTimeoutMillis', 'http.requestTimeoutMillis'],
    [
      'maintenance: { partitionStartOffsetMonths: -1 }',
      'maintenance.partitionStartOffsetMonths',
      'maintenance.partitionLookaheadMonths',
    ],
    ['database: { pool: { definitionCacheSize: 9 } }', 'database.pool.definitionCacheSize', 'without a setting'],
    ['database: { circuitBreaker: { enabled: true } }', 'database.circuitBreaker', 'database.statementTimeoutMillis'],
    ['sleep: { batchSize: 1 }', 'sleep', 'nothing to set'],
    ['reconciler: { intervalMillis: 1 }', 'reconciler', 'nothing to set'],
    ['redis: { pool: { max: 3 } }', 'redis.pool', 'nothing to set'],
    ['redis: { consumer: { batchSize: 3 } }', 'redis.consumer', 'redis.queue.consumer.batchSize'],
    ['redis: { producer: { batchSize: 3 } }', 'redis.producer', 'redis.commandTimeoutMillis'],
    ['sleep: { batchSize: "${NOWHERE}" }', 'sleep', 'nothing to set'],
  ])('%s warns and says what takes its place', (text, path, instead) => {
    const { warnings } = load(text);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${path} ${where} is a key of existing Trama and is ignored. `);
    expect(warnings[0]).toContain(instead);
  });

  it('have variables that warn, too, unless any other program may read them', () => {
    const env = { RUNTIME_BUFFERSIZE: '5', REDIS_CONSUMER_BATCHSIZE: '5', REDIS_POOL_MAX: '', SLEEP_BATCHSIZE: '5' };
    expect(load('', { env }).warnings.map((warning) => warning.split(' is a key')[0])).toEqual([
      'runtime.bufferSize (from environment variable RUNTIME_BUFFERSIZE)',
      'redis.consumer (from environment variable REDIS_CONSUMER_BATCHSIZE)',
    ]);
  });

  it('do not excuse a key that is mistyped', () => {
    const loaded = load('runtime: { bufferSise: 1 }\nsleeep: {}');
    expect(loaded.ok ? [] : loaded.problems).toHaveLength(2);
  });

  it('may hold empty texts, which count as not set', () => {
    const loaded = load(
      [
        'server: { port: "${NO_PORT:-}", allowedHosts: ["", "a.example"] }',
        'database: { url: "", password: "" }',
        'redis: { url: "${NO_REDIS:-}", cluster: { nodes: [""] } }',
        'runtime: { callback: { baseUrl: "", hmacSecret: "${NO_SECRET:-}" } }',
        'vars: { EMPTY: "" }',
      ].join('\n'),
    );
    if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
    const { config, effective, warnings } = loaded;
    expect(warnings).toEqual([]);
    expect(effective.find(({ path }) => path === 'server.port')?.source).toBe('default');
    expect(config.server.allowedHosts).toEqual(['a.example']);
    expect([config.database.driver, config.database.url, config.redis.topology]).toEqual([
      'EMBEDDED',
      undefined,
      'NONE',
    ]);
    expect([config.redis.cluster.nodes, config.runtime.callback.hmacSecret]).toEqual([[], undefined]);
    expect(config.vars).toEqual({ EMPTY: '' });
  });
});
