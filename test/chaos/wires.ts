import { join } from 'node:path';
import { type ProxyMode, TcpProxy } from '../servers/tcp-proxy.ts';

/** Where a way leads. */
export type Way = 'store' | 'queue';

/**
 * The ways of one pod to Postgres and to each Redis server, which can be cut and healed apart from each other and from those of
 * other pods. The pod knows nothing of it: a module preloaded into it leads its connections through proxies, also those to nodes
 * of a Redis Cluster, whose addresses it learns from the nodes.
 */
export class Wires {
  readonly #ways: Readonly<Record<Way, readonly TcpProxy[]>>;
  /** Settings that send a process through these ways. */
  readonly env: Readonly<Record<string, string>>;

  private constructor(store: TcpProxy, queue: readonly TcpProxy[], env: Readonly<Record<string, string>>) {
    this.#ways = { store: [store], queue };
    this.env = env;
  }

  /** Lays ways to these ports of the loopback interface. */
  static async lay(storePort: number, queuePorts: readonly number[]): Promise<Wires> {
    const [store, ...queue] = await Promise.all([storePort, ...queuePorts].map((port) => TcpProxy.listen(port)));
    const routes = [storePort, ...queuePorts].map((port, at) => [port, [store!, ...queue][at]!.port]);
    return new Wires(store!, queue, {
      NODE_OPTIONS: `--import=file://${join(import.meta.dirname, 'routed-connections.mjs')}`,
      TEST_ROUTES: JSON.stringify(routes),
    });
  }

  /** How late answers of Postgres are, in ms. */
  set storeLatencyMillis(millis: number) {
    for (const proxy of this.#ways.store) proxy.latencyMillis = millis;
  }

  /** Cuts a way. */
  cut(way: Way, how: Exclude<ProxyMode, 'pass'>): void {
    for (const proxy of this.#ways[way]) proxy.mode = how;
  }

  /** Heals a way. What a black hole swallowed stays lost, so connections of that time break. */
  heal(way: Way, how: Exclude<ProxyMode, 'pass'>): void {
    for (const proxy of this.#ways[way]) {
      if (how === 'blackhole' || how === 'deaf') proxy.cut();
      proxy.mode = 'pass';
    }
  }

  /** See {@link TcpProxy.forget}. */
  forget(way: Way): void {
    for (const proxy of this.#ways[way]) proxy.forget();
  }

  /** Ends all ways. */
  async close(): Promise<void> {
    await Promise.all([...this.#ways.store, ...this.#ways.queue].map((proxy) => proxy.close()));
  }
}
