import { setTimeout as pause } from 'node:timers/promises';
import { freePorts } from './free-ports.ts';
import { RedisServer, type RedisServerOptions } from './redis.ts';

const slotCount = 16_384;
const primaryCount = 3;

/** TLS of all nodes: directives but those of ports, and how clients of the test reach them. */
export interface RedisTlsOptions {
  readonly directives: Readonly<Record<string, string>>;
  readonly client: NonNullable<RedisServerOptions['client']>;
}

/** What a node says about a node. */
interface NodeView {
  readonly id: string;
  readonly port: number;
  readonly flags: readonly string[];
  readonly primaryId: string;
  readonly isLinked: boolean;
  /** Ranges, first and last slot. */
  readonly ranges: readonly (readonly [number, number])[];
}

/** A real Redis Cluster for tests: three primaries with a replica each, on the loopback interface. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[];

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes;
  }

  /**
   * Starts all nodes and joins them; resolves when every node agrees and every replica follows its primary. With TLS options
   * nothing else is spoken, between the nodes neither.
   */
  static async start(tls?: RedisTlsOptions): Promise<RedisCluster> {
    const ports = await freePorts(4 * primaryCount);
    const half = 2 * primaryCount;
    const nodes = await Promise.all(
      ports.slice(0, half).map((port, index) =>
        RedisServer.start({
          port,
          directives: {
            'cluster-enabled': 'yes',
            'cluster-port': String(ports[half + index]),
            'cluster-node-timeout': '2000',
            'cluster-require-full-coverage': 'no',
            'repl-diskless-sync-delay': '0',
            ...(tls !== undefined && {
              port: '0',
              'tls-port': String(port),
              'tls-cluster': 'yes',
              'tls-replication': 'yes',
              ...tls.directives,
            }),
          },
          ...(tls !== undefined && { client: tls.client }),
        }),
      ),
    );
    const cluster = new RedisCluster(nodes);
    try {
      await cluster.#join(ports);
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** Where clients may begin. */
  get seeds(): readonly { readonly host: string; readonly port: number }[] {
    return this.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  /** The node that serves the slot now, as any reachable node sees it. */
  async primaryOf(slot: number): Promise<RedisServer> {
    const view = await this.#anyView();
    const found = view.find(({ flags, ranges }) => {
      return flags.includes('master') && ranges.some(([first, last]) => first <= slot && slot <= last);
    });
    return this.#byPort(found!.port);
  }

  /** The replicas of a primary. */
  async replicasOf(primary: RedisServer): Promise<readonly RedisServer[]> {
    const view = await this.#anyView();
    const id = view.find(({ port }) => port === primary.port)!.id;
    return view.filter(({ primaryId }) => primaryId === id).map(({ port }) => this.#byPort(port));
  }

  /**
   * Has a replica take over from its living primary: in order (it gets everything first, and the others vote), or by force, without
   * a vote.
   */
  async failover(primary: RedisServer, how: 'in order' | 'by force' = 'in order'): Promise<RedisServer> {
    let replica: RedisServer | undefined;
    await until(async () => {
      [replica] = await this.replicasOf(primary);
      return replica !== undefined;
    });
    const { admin } = replica!;
    const isPrimary = async () => (await admin.info('replication')).includes('role:master');
    if (how === 'by force') await admin.cluster('FAILOVER', 'TAKEOVER');
    // The others vote at most once in twice the node timeout about one primary: a failover soon after another comes to nothing.
    while (!(await isPrimary())) {
      await admin.cluster('FAILOVER');
      for (let wait = 0; wait < 60 && !(await isPrimary()); wait++) await pause(100);
    }
    return replica!;
  }

  /** Moves slots to another primary, keys and all, in the way of redis-cli, while clients go on. */
  async moveSlots(slots: readonly number[], target: RedisServer): Promise<void> {
    const targetId = await target.admin.cluster('MYID');
    for (const slot of slots) {
      const source = await this.primaryOf(slot);
      if (source === target) continue;
      const sourceId = await source.admin.cluster('MYID');
      await target.admin.cluster('SETSLOT', slot, 'IMPORTING', sourceId);
      await source.admin.cluster('SETSLOT', slot, 'MIGRATING', targetId);
      for (;;) {
        const keys = await source.admin.cluster('GETKEYSINSLOT', slot, 100);
        if (keys.length === 0) break;
        await source.admin.call('MIGRATE', '127.0.0.1', target.port, '', 0, 5000, 'KEYS', ...keys);
      }
      // The receiver first: else no node would serve the slot for a moment.
      await target.admin.cluster('SETSLOT', slot, 'NODE', targetId);
      await source.admin.cluster('SETSLOT', slot, 'NODE', targetId);
    }
  }

  /** Resolves when every node that runs sees the same owners, all slots are served and every replica follows. */
  async settled(): Promise<void> {
    await until(async () => {
      const views = await Promise.all(this.nodes.map((node) => viewOf(node)));
      const owners = views.map((view) =>
        view
          .filter(({ flags }) => flags.includes('master'))
          .flatMap(({ id, ranges }) => ranges.map(([first, last]) => `${id}:${String(first)}-${String(last)}`))
          .sort()
          .join(),
      );
      const isServed = views.every(
        (view) =>
          view.reduce((sum, { ranges }) => sum + ranges.reduce((all, [a, b]) => all + b - a + 1, 0), 0) === slotCount,
      );
      if (new Set(owners).size !== 1 || !isServed) return false;
      const isHealthy = views.every((view) =>
        view.every(
          ({ flags, isLinked }) => isLinked && !flags.some((flag) => flag.startsWith('fail') || flag === 'handshake'),
        ),
      );
      // A primary of before is a replica for everybody, and then one of the new primary.
      const isComplete = views.every((view) => {
        const primaries = new Set(view.filter(({ flags }) => flags.includes('master')).map(({ id }) => id));
        const followed = new Set(
          view.filter(({ primaryId }) => primaries.has(primaryId)).map(({ primaryId }) => primaryId),
        );
        return primaries.size === primaryCount && followed.size === primaryCount;
      });
      if (!isHealthy || !isComplete) return false;
      const states = await Promise.all(this.nodes.map((node) => node.admin.cluster('INFO')));
      // A node that has just come back refuses everything for a while.
      if (!states.every((text) => text.includes('cluster_state:ok'))) return false;
      const replications = await Promise.all(this.nodes.map((node) => node.admin.info('replication')));
      return replications.every((text) => text.includes('role:master') || text.includes('master_link_status:up'));
    });
  }

  /** Ends all nodes. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  async #join(ports: readonly number[]): Promise<void> {
    const primaries = this.nodes.slice(0, primaryCount);
    const replicas = this.nodes.slice(primaryCount);
    await Promise.all(this.nodes.map((node, index) => node.admin.cluster('SET-CONFIG-EPOCH', index + 1)));
    await Promise.all(
      primaries.map((node, index) => {
        const first = Math.ceil((slotCount * index) / primaryCount);
        const last = Math.ceil((slotCount * (index + 1)) / primaryCount) - 1;
        return node.admin.cluster('ADDSLOTSRANGE', first, last);
      }),
    );
    const [first] = this.nodes;
    for (const [index, node] of this.nodes.entries()) {
      if (node === first) continue;
      await first!.admin.call('CLUSTER', 'MEET', '127.0.0.1', node.port, ports[2 * primaryCount + index]!);
    }
    await until(async () => {
      const views = await Promise.all(this.nodes.map((node) => viewOf(node)));
      return views.every(
        (view) => view.length === this.nodes.length && view.every(({ flags }) => !flags.includes('handshake')),
      );
    });
    const ids = await Promise.all(primaries.map((node) => node.admin.cluster('MYID')));
    await Promise.all(replicas.map((node, index) => node.admin.cluster('REPLICATE', String(ids[index]))));
    await this.settled();
  }

  #byPort(port: number): RedisServer {
    return this.nodes.find((node) => node.port === port)!;
  }

  async #anyView(): Promise<readonly NodeView[]> {
    return Promise.any(this.nodes.filter((node) => node.isRunning).map((node) => viewOf(node)));
  }
}

async function viewOf(node: RedisServer): Promise<readonly NodeView[]> {
  const text = String(await node.admin.cluster('NODES'));
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [id = '', address = '', flags = '', primaryId = '', , , , link, ...slots] = line.split(' ');
      return {
        id,
        port: Number(/:(\d+)@/.exec(address)?.[1]),
        flags: flags.split(','),
        primaryId,
        isLinked: link === 'connected',
        ranges: slots
          .filter((range) => !range.startsWith('['))
          .map((range) => {
            const [from, to = from] = range.split('-').map(Number);
            return [from!, to!] as const;
          }),
      };
    });
}

/** Waits until it holds; a refused command is an answer of no. The deadline is the test's. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (;;) {
    const held = await holds().catch(() => false);
    if (held) return;
    await pause(50);
  }
}
