import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { findKey } from '../../src/config/registry.ts';
import {
  chartFolder,
  defaultValues,
  renderManifests,
  renderTexts,
  valuesWith,
  type Manifest,
  type Values,
} from './chart.ts';
import { leavesOf, loadDeployed, unknownVariables } from './deployed-config.ts';
import { root } from './source-files.ts';

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string };
    readonly fieldRef?: { readonly fieldPath: string };
  };
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly topologySpreadConstraints?: readonly { readonly labelSelector: { readonly matchLabels: object } }[];
  readonly containers: readonly {
    readonly image: string;
    readonly env: readonly EnvVar[];
    readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
    readonly readinessProbe: Probe;
    readonly livenessProbe: Probe;
    readonly startupProbe: Probe & { readonly periodSeconds: number; readonly failureThreshold: number };
    readonly securityContext: Readonly<Record<string, unknown>>;
    readonly resources: { readonly requests: object; readonly limits: object };
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  }[];
  readonly volumes: readonly { readonly name: string }[];
}

interface Deployment {
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly template: {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
    readonly spec: PodSpec;
  };
}

/** Everything that can be turned on. */
const everything: Values = valuesWith({
  'worker.autoscaling.enabled': true,
  'monitoring.serviceMonitor.enabled': true,
  'monitoring.serviceMonitor.bearerTokenSecret': { name: 'scrape', key: 'token' },
  'monitoring.prometheusRule.enabled': true,
  'monitoring.dashboard.enabled': true,
  'monitoring.runbookBaseUrl': 'https://git.example/trama/',
  'secrets.calls.name': 'trama-calls',
  'secrets.tls.name': 'trama-tls',
  'secrets.redis.passwordKey': 'password',
  'networkPolicy.apiFrom': [{ podSelector: { matchLabels: { app: 'shop' } } }],
  'networkPolicy.metricsFrom': [{ namespaceSelector: {} }],
  'config.runtime.callback.baseUrl': 'https://trama.example',
  'image.pullSecrets': [{ name: 'pull' }],
  podAnnotations: { team: 'flows' },
  nodeSelector: { disk: 'fast' },
  tolerations: [{ operator: 'Exists' }],
  extraEnv: [{ name: 'LOGGING_LEVEL', value: 'debug' }],
});

const byKind = (manifests: readonly Manifest[], kind: string): readonly Manifest[] =>
  manifests.filter((manifest) => manifest.kind === kind);

function deployments(
  values: Values,
): readonly { readonly name: string; readonly spec: Deployment; readonly pod: PodSpec }[] {
  return byKind(renderManifests(values), 'Deployment').map(({ metadata, spec }) => {
    const deployment = spec as unknown as Deployment;
    return { name: metadata.name, spec: deployment, pod: deployment.template.spec };
  });
}

/** The environment that a pod would have; secrets hold something plausible. */
function environmentOf(pod: PodSpec): Record<string, string> {
  const stored: Record<string, string> = {
    DATABASE_URL: 'postgres://trama:password@db:5432/trama',
    REDIS_URL: 'redis://redis:6379',
    REDIS_PASSWORD: 'password',
    RUNTIME_CALLBACK_KEYS: '[{"kid":"a","secret":"0123456789abcdef0123456789abcdef"}]',
    SECURITY_AUTH_APIKEYS: `[{"id":"ops","sha256":"${'0'.repeat(64)}","roles":["operator"]}]`,
  };
  const env = pod.containers[0]?.env ?? [];
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [name, value ?? (valueFrom?.fieldRef ? 'pod-1' : stored[name]) ?? '?']),
  );
}

describe.each([
  ['as shipped', defaultValues()],
  ['with everything on', everything],
])('the chart %s', (_title, values) => {
  const manifests = renderManifests(values);

  it('has values that its schema allows', () => {
    const schema = JSON.parse(readFileSync(join(chartFolder, 'values.schema.json'), 'utf8')) as object;
    const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
    const isValid = ajv.validate(schema, values);
    expect([isValid, ajv.errorsText()]).toEqual([true, 'No errors']);
  });

  it('renders to objects with names of their own', () => {
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    for (const manifest of manifests) {
      expect(manifest.apiVersion).toMatch(/^(?:[\w.-]+\/)?v\d/);
      expect(manifest.metadata.labels?.['app.kubernetes.io/instance']).toBe('sample');
    }
  });

  it('gives pods what a platform demands', () => {
    for (const { pod } of deployments(values)) {
      const [container] = pod.containers;
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(pod.securityContext['runAsUser']).toBeGreaterThan(0);
      expect(container?.securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(container?.resources).toMatchObject({ requests: { cpu: expect.anything(), memory: expect.anything() } });
      expect(container?.resources.limits).toHaveProperty('memory');
      expect(container?.image).toMatch(/^trama:\d+\.\d+\.\d+$/);
      expect(container?.volumeMounts.map(({ name }) => name)).toEqual(pod.volumes.map(({ name }) => name));
    }
  });

  it('replaces one pod at a time, each when the one before is not slow any more', () => {
    for (const { spec } of deployments(values)) {
      expect(spec).toMatchObject({
        minReadySeconds: 10,
        strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      });
    }
  });

  it('asks the right question of each pod', () => {
    const paths = deployments(values).map(({ name, pod }) => [
      name,
      pod.containers[0]?.readinessProbe.httpGet.path,
      pod.containers[0]?.livenessProbe.httpGet.path,
      pod.containers[0]?.startupProbe.httpGet.path,
    ]);
    expect(paths).toEqual([
      ['sample-api', '/readyz?scope=api', '/healthz', '/healthz'],
      ['sample-worker', '/readyz', '/healthz', '/healthz'],
    ]);
  });

  it('waits longer for a start than a start waits for its database', () => {
    for (const { pod } of deployments(values)) {
      const probe = pod.containers[0]?.startupProbe;
      expect((probe?.periodSeconds ?? 0) * (probe?.failureThreshold ?? 0)).toBeGreaterThan(60 + 30);
    }
  });

  it('selects its pods, and the right ones', () => {
    const [api, worker] = deployments(values);
    for (const deployment of [api, worker]) {
      const labels = deployment?.spec.template.metadata.labels;
      expect(labels).toMatchObject(deployment?.spec.selector.matchLabels ?? { none: '' });
      for (const { labelSelector } of deployment?.pod.topologySpreadConstraints ?? []) {
        expect(labels).toMatchObject(labelSelector.matchLabels);
      }
    }
    const selecting: [string, (spec: Record<string, unknown>) => unknown][] = [
      ['Service', (spec) => spec['selector']],
      ['PodDisruptionBudget', (spec) => (spec['selector'] as { matchLabels: unknown }).matchLabels],
      ['NetworkPolicy', (spec) => (spec['podSelector'] as { matchLabels: unknown }).matchLabels],
    ];
    for (const [kind, selectorOf] of selecting) {
      const selectors = byKind(manifests, kind).map(({ spec }) => selectorOf(spec ?? {}));
      expect(selectors).toEqual([api?.spec.selector.matchLabels, worker?.spec.selector.matchLabels]);
    }
  });

  it('names only configuration that exists', () => {
    const config = values['config'];
    const unknown = leavesOf(config).filter((path) => findKey(path) === undefined);
    expect(unknown).toEqual([]);
    for (const { pod } of deployments(values)) expect(unknownVariables(environmentOf(pod))).toEqual([]);
  });

  it('has a configuration with which the server starts', () => {
    const file = byKind(manifests, 'ConfigMap')[0]?.data?.['trama.yaml'] ?? '';
    for (const { name, pod } of deployments(values)) {
      const loaded = loadDeployed(file, environmentOf(pod));
      expect(loaded.ok ? [] : loaded.problems).toEqual([]);
      if (!loaded.ok) continue;
      const { runtime, redis, server, database } = loaded.config;
      // Workers serve health and metrics, and nothing else: the policy for the API cannot be got round by asking them.
      expect([runtime.enabled, server.api]).toEqual(name === 'sample-worker' ? [true, false] : [false, true]);
      expect([redis.topology, redis.sharding.podId, database.driver]).toEqual(['STANDALONE', 'pod-1', 'POSTGRES']);
      expect(server.host).toBe('0.0.0.0');
    }
  });
});

it('mounts certificates where the configuration names them', () => {
  const mounted = (values: Values): unknown[] =>
    deployments(values).map(({ pod }) => [
      pod.containers[0]?.volumeMounts.find(({ name }) => name === 'tls'),
      pod.volumes.find(({ name }) => name === 'tls'),
    ]);
  expect(mounted(defaultValues())).toEqual([Array(2).fill(undefined), Array(2).fill(undefined)]);
  const secret = { name: 'tls', secret: { secretName: 'trama-tls' } };
  const pod = [{ name: 'tls', mountPath: '/etc/trama-tls', readOnly: true }, secret];
  expect(mounted(everything)).toMatchObject([pod, pod]);
  const ssl = { caFile: '/etc/trama-tls/ca.pem' };
  const manifests = renderManifests(valuesWith({ 'config.database': { driver: 'POSTGRES', ssl } }));
  const [config] = byKind(manifests, 'ConfigMap');
  const [first] = deployments(defaultValues());
  const loaded = loadDeployed(config?.data?.['trama.yaml'] ?? '', environmentOf(first!.pod));
  expect(loaded.ok && loaded.config.database.ssl).toMatchObject({ isOn: true, ...ssl });
});

describe('the network policy', () => {
  const apiFrom = [{ podSelector: { matchLabels: { app: 'shop' } } }];
  const metricsFrom = [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }];
  const ports = [{ port: 'http' }];

  it.each([
    ['lets everybody in the cluster reach both', {}, [{ ports }], [{ ports }]],
    ['keeps everybody from workers once the API is narrowed', { apiFrom }, [{ ports, from: apiFrom }], []],
    [
      'lets only Prometheus reach workers',
      { apiFrom, metricsFrom },
      [{ ports, from: [...apiFrom, ...metricsFrom] }],
      [{ ports, from: metricsFrom }],
    ],
    [
      'lets everybody reach the API, Prometheus the workers',
      { metricsFrom },
      [{ ports }],
      [{ ports, from: metricsFrom }],
    ],
  ])('%s', (_what, peers, api, worker) => {
    const changes = Object.entries(peers).map(([name, value]) => [`networkPolicy.${name}`, value]);
    const policies = byKind(renderManifests(valuesWith(Object.fromEntries(changes))), 'NetworkPolicy');
    expect(policies.map(({ metadata, spec }) => [metadata.name, spec?.['ingress']])).toEqual([
      ['sample-api', api],
      ['sample-worker', worker],
    ]);
  });
});

describe('a pod that is told to go', () => {
  it.each([1, 35_000, 35_001, 600_000])(
    'has time for preStop, a drain of %i ms, and a margin',
    (drainTimeoutMillis) => {
      for (const { pod } of deployments(valuesWith({ 'config.runtime.drainTimeoutMillis': drainTimeoutMillis }))) {
        const preStop = pod.containers[0]?.lifecycle.preStop.sleep.seconds ?? 0;
        expect(preStop).toBeGreaterThan(0);
        // What follows the drain: giving up, flushing, open requests, the queue and the store.
        expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(preStop + drainTimeoutMillis / 1000 + 15);
      }
    },
  );
});

describe('the chart', () => {
  it('refuses values that are not safe, or unknown', () => {
    const ajv = new Ajv({ allowUnionTypes: true });
    const schema = JSON.parse(readFileSync(join(chartFolder, 'values.schema.json'), 'utf8')) as object;
    const refused: Readonly<Record<string, unknown>>[] = [
      { 'image.tag': 'latest' },
      { 'containerSecurityContext.readOnlyRootFilesystem': false },
      { 'containerSecurityContext.allowPrivilegeEscalation': true },
      { 'podSecurityContext.runAsUser': 0 },
      { 'config.database.driver': 'EMBEDDED' },
      { 'monitoring.runbookBaseUrl': 'https://git.example' },
      { graceMarginSeconds: 0 },
    ];
    for (const change of refused) expect([change, ajv.validate(schema, valuesWith(change))]).toEqual([change, false]);
    expect(ajv.validate(schema, { ...defaultValues(), workers: 3 })).toBe(false);
  });

  it('reads no value that values.yaml lacks, and has none that nothing reads', () => {
    const read = new Set<string>();
    const spy = (value: unknown, path: string): unknown => {
      if (typeof value !== 'object' || value === null) return value;
      return new Proxy(value, {
        get: (target, key) => {
          const inner: unknown = Reflect.get(target, key);
          if (typeof key !== 'string' || typeof inner === 'function') return inner;
          const at = path === '' ? key : `${path}.${key}`;
          read.add(at);
          return spy(inner, at);
        },
      });
    };
    expect(renderTexts(spy(everything, '') as Values).size).toBeGreaterThan(10);
    expect(renderTexts(spy(defaultValues(), '') as Values).size).toBeGreaterThan(10);
    expect(leavesOf(defaultValues()).filter((path) => !read.has(path))).toEqual([]);
  });

  it('leaves no secret in itself: all of them are references', () => {
    for (const { pod } of deployments(everything)) {
      for (const { name, value } of pod.containers[0]?.env ?? []) {
        if (/URL$|PASSWORD|KEYS/.test(name)) expect([name, value]).toEqual([name, undefined]);
      }
    }
    expect(byKind(renderManifests(everything), 'Secret')).toEqual([]);
  });

  it('prefers a digest to a tag', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const [api] = deployments(valuesWith({ 'image.digest': digest, 'image.tag': '9.9.9' }));
    expect(api?.pod.containers[0]?.image).toBe(`trama@${digest}`);
  });

  it('scales by the age of the queue', () => {
    const [scaler] = byKind(renderManifests(everything), 'HorizontalPodAutoscaler');
    expect(scaler?.spec).toMatchObject({
      scaleTargetRef: { kind: 'Deployment', name: 'sample-worker' },
      metrics: [
        { type: 'External', external: { metric: { name: 'saga_queue_oldest_due_age_seconds' } } },
        { type: 'Resource' },
      ],
    });
    const worker = byKind(renderManifests(everything), 'Deployment').find(
      ({ metadata }) => metadata.name === 'sample-worker',
    );
    expect(worker?.spec).not.toHaveProperty('replicas');
    expect(byKind(renderManifests(defaultValues()), 'HorizontalPodAutoscaler')).toEqual([]);
  });

  it('has the version of the package', () => {
    const chart = parse(readFileSync(join(chartFolder, 'Chart.yaml'), 'utf8')) as Record<string, unknown>;
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect([chart['version'], chart['appVersion']]).toEqual([version, version]);
  });
});
