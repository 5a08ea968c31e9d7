import type { Installation, KnownNames } from '../../api/installation.ts';
import type { Config } from '../../config/config.ts';
import type { Secrets } from '../../security/secrets/secrets.ts';

const queues = { NONE: 'memory', STANDALONE: 'redis', CLUSTER: 'cluster' } as const;

/** What callers may know of the installation. */
export function installationOf(config: Config, secrets: Pick<Secrets, 'names'>): Installation {
  const { auth } = config.security;
  return {
    store: config.database.driver === 'POSTGRES' ? 'postgres' : 'sqlite',
    queue: queues[config.redis.topology],
    methods: auth.enabled && auth.apiKeys.length > 0 ? ['apiKey'] : [],
    names: () => namesOf(config, secrets),
  };
}

function namesOf({ security, runtime, http, secrets: { hosts } }: Config, secrets: Pick<Secrets, 'names'>): KnownNames {
  const { variables, secrets: names } = secrets.names();
  const limits = Object.entries(security.limits).flatMap(([name, value]) =>
    typeof value === 'number' ? [[`security.limits.${name}`, value] as const] : [],
  );
  return {
    variables,
    secrets: names.map((name) => {
      const places = Object.hasOwn(hosts, name) ? hosts[name] : undefined;
      return { name, ...(places !== undefined && { hosts: places }) };
    }),
    limits: {
      ...Object.fromEntries(limits),
      'runtime.maxNodeVisits': runtime.maxNodeVisits,
      'runtime.maxNodeVisitsCap': runtime.maxNodeVisitsCap,
      'runtime.maxStepsPerExecution': runtime.maxStepsPerExecution,
      'runtime.maxOutputBytes': runtime.maxOutputBytes,
      'http.maxTimeoutMillis': http.maxTimeoutMillis,
      'http.maxResponseBytes': http.maxResponseBytes,
    },
  };
}
