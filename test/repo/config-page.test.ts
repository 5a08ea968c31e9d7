import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configPage, configPagePath } from '../../scripts/config-page.ts';
import { environmentName, keys } from '../../src/config/registry.ts';
import { root } from './source-files.ts';

it('the configuration reference is current (renew it with node scripts/config-page.ts)', () => {
  expect(readFileSync(join(root, configPagePath), 'utf8')).toBe(configPage());
});

it('every key has an environment variable of its own', () => {
  const names = keys.map((key) => environmentName(key.path));
  expect(names.length).toBeGreaterThan(50);
  expect(new Set(names).size).toBe(names.length);
});

/** Names that configurations of other installations rely on: they never change, and none goes away. */
const promised: Readonly<Record<string, string>> = {
  server: 'host port allowedHosts api tls.certFile tls.keyFile tls.clientCaFile',
  runtime: `
    enabled workerCount prefetch maxStepsPerExecution maxNodeVisits maxNodeVisitsCap drainTimeoutMillis
    livenessStallMillis fullSweepIntervalMillis callback.baseUrl callback.hmacSecret callback.hmacKid callback.keys
  `,
  database: `
    driver url host port database user password ssl dataDir ssl.caFile ssl.certFile ssl.keyFile
    ssl.serverName pool.maxPoolSize pool.minIdle statementTimeoutMillis
  `,
  redis: `
    topology url cluster.nodes commandTimeoutMillis tls username password tls.caFile tls.certFile
    tls.keyFile tls.serverName queue.keyPrefix queue.consumer.batchSize
    queue.consumer.processingTimeoutMillis sharding.virtualShardCount sharding.podId
    sharding.membershipKey sharding.membershipTtlMillis sharding.heartbeatIntervalMillis
    sharding.refreshIntervalMillis sharding.claimerCount
  `,
  http: `
    connectTimeoutMillis requestTimeoutMillis maxResponseBytes maxRetryAfterMillis
    maxTimeoutMillis perHost.maxConcurrency perHost.overrides egress.allow egress.deny egress.allowPrivateFromData
    egress.allowPrivate egress.proxy egress.tls.caFile egress.tls.certFile egress.tls.keyFile
  `,
  circuitBreaker: 'enabled failureThreshold openMillis',
  hooks: 'maxMillis',
  secrets: 'dir envPrefix hosts',
  metrics: 'enabled public',
  telemetry: 'enabled serviceName otlpEndpoint sampleRatio',
  maintenance: 'enabled retentionDays partitionLookaheadMonths intervalMillis',
  security: `
    allowUnauthenticated auth.enabled auth.apiKeys auth.jwt.issuer auth.jwt.audience auth.jwt.jwksUrl
    auth.jwt.rolesClaim limits.maxRequestBytes limits.maxRenderedRequestBytes limits.maxDefinitionBytes
    limits.maxDefinitionNodes limits.maxJsonDepth limits.maxEvaluationSteps limits.maxOpenRequests
    limits.maxHistoryBodyBytes
  `,
  logging: 'level format',
};

it('every promised key is there, and in the reference', () => {
  const below = ([group, names]: [string, string]): string[] =>
    names
      .trim()
      .split(/\s+/)
      .map((name) => `${group}.${name}`);
  const paths = ['vars', ...Object.entries(promised).flatMap(below)];
  const known = new Set<string>(keys.map((key) => key.path));
  expect(paths.filter((path) => !known.has(path))).toEqual([]);
  const page = readFileSync(join(root, configPagePath), 'utf8');
  expect(paths.filter((path) => !page.includes(`| \`${path}\` |`))).toEqual([]);
});
