import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadDeployed, unknownVariables } from './deployed-config.ts';
import { repositoryFiles, root } from './source-files.ts';

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly hostname?: string;
  readonly command?: readonly string[];
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

const folder = join(root, 'deploy/compose');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

/** What the person who starts it has to choose. */
const chosen: Readonly<Record<string, string>> = {
  POSTGRES_PASSWORD: 'password',
  GRAFANA_PASSWORD: 'password',
  CALLBACK_SECRET: '0123456789abcdef'.repeat(2),
  API_KEY_SHA256: '0123456789abcdef'.repeat(4),
};

function compose(name: string): ComposeFile {
  const source = readFileSync(join(folder, name), 'utf8');
  const filled = source.replaceAll(/\$\{(\w+)(?::\?[^}]*)?\}/g, (_all, variable: string) => {
    const value = chosen[variable];
    if (value === undefined) throw new Error(`${name} asks for ${variable}.`);
    return value;
  });
  return parse(filled, { merge: true }) as ComposeFile;
}

const tramaServices = ({ services }: ComposeFile): readonly (readonly [string, Service])[] =>
  Object.entries(services).filter(([, { image }]) => image.startsWith('trama:'));

it('there is a file for one machine, one for two processes, and one for a cluster', () => {
  expect(files.toSorted()).toEqual(['all-in-one.yaml', 'cluster.yaml', 'postgres-redis.yaml']);
});

it('every YAML file of deploy can be read', () => {
  const problems = repositoryFiles('deploy/**/*.yaml')
    .filter(({ path }) => !path.includes('/templates/'))
    .flatMap(({ path, text }) =>
      parseAllDocuments(text, { merge: true }).flatMap(({ errors }) => errors.map((e) => `${path}: ${e.message}`)),
    );
  expect(problems).toEqual([]);
});

describe.each(files)('%s', (name) => {
  const file = compose(name);
  const services = Object.entries(file.services);

  it('pins every image', () => {
    expect(services.filter(([, { image }]) => !/^[\w./-]+:v?\d+\.\d+/.test(image)).map(([service]) => service)).toEqual(
      [],
    );
  });

  it('uses only services, volumes and files that exist', () => {
    for (const [service, { depends_on = {}, volumes = [] }] of services) {
      expect([service, Object.keys(depends_on).filter((other) => !(other in file.services))]).toEqual([service, []]);
      const missing = volumes
        .map((volume) => volume.split(':', 1)[0] ?? '')
        .filter(
          (source) => !(source.startsWith('.') ? existsSync(join(folder, source)) : source in (file.volumes ?? {})),
        );
      expect([service, missing]).toEqual([service, []]);
    }
  });

  it('opens ports to this machine only', () => {
    const open = services.flatMap(([, { ports = [] }]) => ports).filter((port) => !port.startsWith('127.0.0.1:'));
    expect(open).toEqual([]);
  });

  it('runs Trama without privileges, on a read-only filesystem, with time to stop', () => {
    expect(tramaServices(file).length).toBeGreaterThan(0);
    for (const [, service] of tramaServices(file)) {
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
      const loaded = loadDeployed('', { HOST: '0.0.0.0', ...service.environment });
      const drain = loaded.ok ? loaded.config.runtime.drainTimeoutMillis / 1000 : Infinity;
      expect(Number.parseInt(service.stop_grace_period ?? '0', 10)).toBeGreaterThanOrEqual(drain + 20);
    }
  });

  it('configures Trama so that it starts', () => {
    for (const [service, { environment = {} }] of tramaServices(file)) {
      expect([service, unknownVariables(environment)]).toEqual([service, []]);
      // The image says HOST and DATABASE_DATADIR.
      const loaded = loadDeployed('', { HOST: '0.0.0.0', DATABASE_DATADIR: '/var/lib/trama', ...environment });
      expect([service, loaded.ok ? loaded.warnings : loaded.problems]).toEqual([service, []]);
    }
  });

  it('accepts only credentials that were chosen', () => {
    for (const [service, { environment = {} }] of tramaServices(file)) {
      const loaded = loadDeployed('', { HOST: '0.0.0.0', ...environment });
      if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
      const { auth, allowUnauthenticated } = loaded.config.security;
      expect([service, allowUnauthenticated, auth.enabled]).toEqual([service, false, true]);
      expect(auth.apiKeys.map(({ sha256 }) => sha256)).toEqual([chosen['API_KEY_SHA256']]);
    }
    // Each comes from a variable without a default: compose refuses to start where it is not set.
    const source = parse(readFileSync(join(folder, name), 'utf8'), { merge: true }) as ComposeFile;
    const asked = new Set<string>();
    for (const [service, { environment = {} }] of Object.entries(source.services)) {
      for (const [variable, value] of Object.entries(environment)) {
        if (/PASSWORD|SECRET|APIKEYS|_URL$/.test(variable) && !/^redis:\/\/[\w.-]+:\d+$/.test(value)) {
          expect([service, variable, /\$\{\w+(?::\?[^}]+)?\}/.test(value)]).toEqual([service, variable, true]);
        }
        for (const [, needed = ''] of value.matchAll(/\$\{(\w+):\?/g)) asked.add(needed);
      }
    }
    const used = readFileSync(join(folder, name), 'utf8').matchAll(/\$\{(\w+)/g);
    expect([...asked].toSorted()).toEqual([...new Set([...used].map(([, variable = '']) => variable))].toSorted());
    const grafana = file.services['grafana'];
    if (grafana !== undefined)
      expect(grafana.environment).toHaveProperty('GF_SECURITY_ADMIN_PASSWORD', chosen['GRAFANA_PASSWORD']);
  });

  it('keeps Redis from evicting, and gives each process a name', () => {
    const redis = services.filter(([, { command }]) => command?.[0] === 'redis-server');
    for (const [, { command }] of redis) expect(command?.join(' ')).toContain('--maxmemory-policy noeviction');
    const names = tramaServices(file).map(([, { hostname }]) => hostname);
    if (names.length > 1) expect(new Set(names.filter(Boolean)).size).toBe(names.length);
  });
});

it('the cluster has six nodes of Redis, three workers, API pods, and what watches them', () => {
  const { services } = compose('cluster.yaml');
  const trama = tramaServices({ services });
  const works = trama.filter(([, { environment }]) => environment?.['RUNTIME_ENABLED'] !== 'false');
  expect([trama.length, works.length]).toEqual([5, 3]);
  const served = trama.filter(([, { environment }]) => environment?.['SERVER_API'] !== 'false').map(([name]) => name);
  expect(served).toEqual(['api-1', 'api-2']);
  const nodes = (works[0]?.[1].environment?.['REDIS_CLUSTER_NODES'] ?? '')
    .split(',')
    .map((node) => node.split(':', 1)[0]);
  expect(nodes).toEqual(Object.keys(services).filter((service) => /^redis-\d$/.test(service)));
  expect(nodes).toHaveLength(6);
  expect(Object.keys(services)).toEqual(expect.arrayContaining(['prometheus', 'grafana', 'collector']));
  expect(services['redis-1']?.command?.join(' ')).toContain('--cluster-require-full-coverage no');
});

describe('the job that makes the cluster of Redis', () => {
  /** Runs it against a redis-cli that answers these lines of `cluster info`, one after the other; answers what it did. */
  function make(answers: readonly string[]): { readonly code: number | null; readonly asked: string } {
    const bin = mkdtempSync(join(tmpdir(), 'trama-redis-job-'));
    onTestFinished(() => {
      rmSync(bin, { recursive: true });
    });
    const shim = (name: string, text: string): void => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    };
    writeFileSync(join(bin, 'answers'), answers.map((line) => `${line}\n`).join(''));
    shim('getent', 'echo "10.0.0.${2#redis-} $2"');
    shim('sleep', 'true');
    shim(
      'redis-cli',
      `echo "$*" >> ${bin}/asked
case "$*" in *"--cluster create"*) exit 0 ;; esac
head -n 1 ${bin}/answers | tr ' ' '\\n'
sed -i '1{$!d}' ${bin}/answers`,
    );
    const { status } = spawnSync('/bin/sh', [join(folder, 'config/create-redis-cluster.sh')], {
      env: { PATH: `${bin}:/usr/bin:/bin` },
    });
    return { code: status, asked: readFileSync(join(bin, 'asked'), 'utf8') };
  }
  const alone = 'cluster_state:fail cluster_known_nodes:1';
  const down = 'cluster_state:fail cluster_known_nodes:6';
  const whole = 'cluster_state:ok cluster_known_nodes:6';

  it('makes it of six nodes that do not know each other, and waits until it is whole', () => {
    const { code, asked } = make([alone, down, down, whole]);
    expect(code).toBe(0);
    const nodes = [1, 2, 3, 4, 5, 6].map((n) => `10.0.0.${String(n)}:6379`).join(' ');
    expect(asked).toContain(`--cluster create ${nodes} --cluster-replicas 1`);
  });

  it.each([
    ['whole', [whole]],
    ['still coming up', [down, down, down, whole]],
  ])('leaves one alone that is %s', (_how, answers) => {
    const { code, asked } = make(answers);
    expect(code).toBe(0);
    expect(asked).not.toContain('--cluster create');
  });

  it('fails where it does not become whole', () => {
    expect(make([down]).code).toBe(1);
  });
});

it('Prometheus scrapes every process of the cluster, and Grafana asks Prometheus', () => {
  const prometheus = parse(readFileSync(join(folder, 'config/prometheus.yaml'), 'utf8')) as {
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  const targets = prometheus.scrape_configs.flatMap((job) => job.static_configs.flatMap((config) => config.targets));
  const trama = tramaServices(compose('cluster.yaml')).map(([service]) => `${service}:8080`);
  expect(targets.toSorted()).toEqual(trama.toSorted());
  expect(prometheus.scrape_configs.map((job) => job.job_name)).toEqual(['trama']);
});
