/** The store and queue servers that a benchmark runs on, and what they have done. */
import { readdirSync, readFileSync } from 'node:fs';
import { Client, Pool } from 'pg';
import { PostgresServer } from '../test/servers/postgres.ts';
import { provisionServers } from '../test/servers/provision.ts';
import { RedisCluster } from '../test/servers/redis-cluster.ts';
import { RedisServer } from '../test/servers/redis.ts';
import { endWhenInterrupted } from './processes.ts';

/** What may be measured; `durable-redis` is Redis alone, which answers once what it was told is on the disk. */
export type BackendName = 'embedded' | 'postgres' | 'redis' | 'cluster' | 'durable-redis';

/** Work done so far. */
export interface Work {
  readonly postgresCpu: number;
  readonly redisCpu: number;
  readonly transactions: number;
  readonly commands: number;
}

/** Servers behind the pods. */
export interface Backend {
  readonly name: BackendName;
  /** What a pod is configured with. */
  readonly env: Readonly<Record<string, string>>;
  work(): Promise<Work>;
  /** Asks Postgres, in the database of the pods. Throws when there is none. */
  query(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** All Redis servers, replicas included. */
  readonly redis: readonly RedisServer[];
  close(): Promise<void>;
}

/** Starts the servers. */
export async function startBackend(name: BackendName): Promise<Backend> {
  const none: Work = { postgresCpu: 0, redisCpu: 0, transactions: 0, commands: 0 };
  if (name === 'embedded') {
    return {
      name,
      env: {},
      work: () => Promise.resolve(none),
      query: () => Promise.reject(new Error('There is no Postgres.')),
      redis: [],
      close: () => Promise.resolve(),
    };
  }
  await provisionServers();
  if (name === 'durable-redis') return startDurableRedis();
  const creating = PostgresServer.create({ shared_buffers: '512MB', fsync: 'on', max_wal_size: '4GB' });
  const forget = [endWhenInterrupted(async () => (await creating).remove())];
  const postgres = await creating;
  const admin = new Client({ connectionString: postgres.url() });
  // An interruption reaches Postgres, too, and may do so first.
  admin.on('error', () => undefined);
  await admin.connect();
  await admin.query('CREATE DATABASE trama');
  const inside = new Pool({ connectionString: postgres.url('trama'), max: 4 });
  inside.on('error', () => undefined);
  const servers: readonly RedisServer[] =
    name === 'redis' ? [await RedisServer.start()] : name === 'cluster' ? (await RedisCluster.start()).nodes : [];
  forget.push(...servers.map((server) => endWhenInterrupted(() => server.close())));
  const [first] = servers;
  const env: Record<string, string> = { DATABASE_URL: postgres.url('trama') };
  if (name === 'redis' && first !== undefined) env['REDIS_URL'] = `redis://127.0.0.1:${String(first.port)}`;
  if (name === 'cluster') env['REDIS_CLUSTER_NODES'] = servers.map(({ port }) => `127.0.0.1:${String(port)}`).join(',');
  return {
    name,
    env,
    redis: servers,
    async query(text, values = []) {
      return (await inside.query<Record<string, unknown>>(text, [...values])).rows;
    },
    async work() {
      const { rows } = await admin.query<{ n: string }>(
        "SELECT xact_commit AS n FROM pg_stat_database WHERE datname = 'trama'",
      );
      return {
        postgresCpu: postgres.cpuMicros() / 1000,
        redisCpu: await redisCpuOf(servers),
        transactions: Number(rows[0]?.n ?? 0),
        commands: await commandsOf(servers),
      };
    },
    async close() {
      await inside.end();
      await admin.end();
      for (const server of servers) await server.close();
      await postgres.remove();
      for (const each of forget) each();
    },
  };
}

/** Redis alone, with every write on the disk before it is answered; its file is not rewritten meanwhile. */
async function startDurableRedis(): Promise<Backend> {
  const directives = { appendonly: 'yes', appendfsync: 'always', 'auto-aof-rewrite-percentage': '0' };
  const server = await RedisServer.start({ directives });
  const forget = endWhenInterrupted(() => server.close());
  return {
    name: 'durable-redis',
    env: { REDIS_URL: `redis://127.0.0.1:${String(server.port)}` },
    redis: [server],
    query: () => Promise.reject(new Error('There is no Postgres.')),
    work: async () => ({
      postgresCpu: 0,
      redisCpu: await redisCpuOf([server]),
      transactions: 0,
      commands: await commandsOf([server]),
    }),
    async close() {
      await server.close();
      forget();
    },
  };
}

/** CPU time of these servers in milliseconds, as they say. */
async function redisCpuOf(servers: readonly RedisServer[]): Promise<number> {
  let seconds = 0;
  for (const server of servers) {
    const cpu = await server.admin.info('cpu');
    for (const [, used] of cpu.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)) seconds += Number(used);
  }
  return seconds * 1000;
}

/** How many commands clients have sent to these servers. */
async function commandsOf(servers: readonly RedisServer[]): Promise<number> {
  let commands = 0;
  for (const server of servers) {
    // Only what clients send: what scripts do inside is counted, too, under its own names.
    const stats = await server.admin.info('commandstats');
    for (const [, calls] of stats.matchAll(/cmdstat_(?:evalsha|eval|bzmpop|info|cluster\|slots):calls=(\d+)/g)) {
      commands += Number(calls);
    }
  }
  return commands;
}

/** CPU time in milliseconds by program, of this process and all below it. */
export function cpuOfDescendants(): ReadonlyMap<string, number> {
  const processes = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const program = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
        return [
          { pid: Number(pid), parent: Number(fields[1]), program, cpu: (Number(fields[11]) + Number(fields[12])) * 10 },
        ];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
  const below = new Set([process.pid]);
  // Parents may have higher numbers than their children: until nothing is found any more.
  for (let size = 0; size !== below.size;) {
    size = below.size;
    for (const { pid, parent } of processes) if (below.has(parent)) below.add(pid);
  }
  const cpu = new Map<string, number>();
  for (const each of processes) if (below.has(each.pid)) cpu.set(each.program, (cpu.get(each.program) ?? 0) + each.cpu);
  return cpu;
}

/** What Redis says of itself, summed over all servers: keys, and bytes in use. */
export async function redisContents({ redis }: Backend): Promise<{ readonly keys: number; readonly bytes: number }> {
  let [keys, bytes] = [0, 0];
  for (const { admin } of redis) {
    keys += await admin.dbsize();
    bytes += Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1] ?? 0);
  }
  return { keys, bytes };
}
