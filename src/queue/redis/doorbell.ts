import type { Redis } from 'ioredis';
import type { Ring } from '../../ports/shard-queue.ts';
import { blockingClient } from './connect.ts';
import type { Keys } from './keyspace.ts';
import type { RedisLink } from './redis-link.ts';
import { parseRing } from './ring-text.ts';
import type { RedisSettings } from './settings.ts';

/** How long one pop waits on the server, in seconds. */
const waitSeconds = 4;

/** How long an answer may take beyond that, and a connection in total, in ms. */
const graceMillis = 1500;

/** Wait after the first error and after many in a row, in ms. */
const pauseMillis = { first: 100, most: 1000 };

/** Bound of the rings of one pop. */
const maxRings = 256;

/** Bound of the rings that a bell keeps while its member does not listen. */
export const bellCapacity = 1024;

/** How long a bell keeps unheard rings, in ms. */
export const bellTtlMillis = 15_000;

/**
 * Listens to this member's bell: pops rings from it on a connection of its own, which waits on the server.
 *
 * Rings that come while the member does not listen stay on the server for {@link bellTtlMillis}, so that a broken
 * connection loses none. The wait on the server is bounded, and so is the wait for its answer, because a half-open
 * connection is silent. After an error the doorbell pauses and looks up again which server has the bell.
 */
export class Doorbell {
  readonly #settings: RedisSettings;
  readonly #link: RedisLink;
  readonly #bell: Keys<'bell'>;
  readonly #rung: (ring: Ring) => void;
  #isOpen = true;
  #client: Redis | undefined;
  #server: Redis | undefined;
  #wake: (() => void) | undefined;
  #failures = 0;
  readonly #ended: Promise<void>;

  /** Starts to listen. `rung` must not throw. */
  constructor(settings: RedisSettings, link: RedisLink, bell: Keys<'bell'>, rung: (ring: Ring) => void) {
    this.#settings = settings;
    this.#link = link;
    this.#bell = bell;
    this.#rung = rung;
    this.#ended = this.#listen();
  }

  /** Stops at once; resolves when no loop runs any more. A second call does nothing. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#hangUp();
    this.#wake?.();
    await this.#ended;
  }

  /** Reconnects where another server has the bell now, or its server is out of reach. */
  follow(): void {
    const server = this.#link.primaryOf(this.#bell.slot);
    if (this.#client === undefined) this.#wake?.();
    else if (server !== this.#server || server?.status !== 'ready') this.#hangUp();
  }

  async #listen(): Promise<void> {
    while (this.#isOpen) {
      const server = this.#link.primaryOf(this.#bell.slot);
      if (server?.status !== 'ready') {
        await this.#pause();
        continue;
      }
      try {
        await this.#pop(await this.#connected(server));
      } catch {
        // The other connections report the cause; here it may be the only sign of a failover.
        this.#failures++;
        this.#link.doubt();
        this.#hangUp();
        await this.#pause();
      }
    }
  }

  /** Refuses a waiting pop. */
  #hangUp(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.disconnect();
  }

  async #connected(server: Redis): Promise<Redis> {
    if (this.#client !== undefined) return this.#client;
    const { servers } = this.#settings;
    const database = servers.topology === 'standalone' ? servers.database : 0;
    const client = blockingClient(this.#settings, this.#link.addressOf(server), database);
    client.on('error', () => undefined);
    this.#client = client;
    this.#server = server;
    await within(graceMillis, client.connect());
    return client;
  }

  async #pop(client: Redis): Promise<void> {
    const answer = client.bzmpop(waitSeconds, 1, this.#bell.names.bell, 'MIN', 'COUNT', maxRings);
    const popped = (await within(waitSeconds * 1000 + graceMillis, answer)) as
      readonly [key: string, rings: readonly (readonly [text: string, delay: string])[]] | null;
    this.#failures = 0;
    for (const [text, delay] of popped?.[1] ?? []) {
      const ring = parseRing(text, Number(delay));
      if (ring !== undefined) this.#rung(ring);
    }
  }

  #pause(): Promise<void> {
    if (!this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(pauseMillis.first * Math.max(1, this.#failures), pauseMillis.most));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Waits for an answer for a bounded time. */
async function within<T>(millis: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error('No answer came in time.'));
    }, millis);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
