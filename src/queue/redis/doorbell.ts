import type { Redis } from 'ioredis';
import type { Ring } from '../../ports/shard-queue.ts';
import { blockingClient } from './connect.ts';
import type { Keys } from './keyspace.ts';
import type { RedisLink } from './redis-link.ts';
import { parseRing } from './ring-text.ts';
import type { RedisSettings } from './settings.ts';

/** How long one pop waits on the server, in seconds. */
const waitSeconds = 4;

/** Grace for the reply beyond {@link waitSeconds}, and timeout of the connect, in ms. */
const graceMillis = 1500;

/** Pause after the first error and the longest pause after repeated errors, in ms. */
const pauseMillis = { first: 100, most: 1000 };

/** Maximum number of rings per pop. */
const maxRings = 256;

/** Maximum number of rings that a bell keeps while its member does not listen. */
export const bellCapacity = 1024;

/** How long a bell keeps rings that its member has not popped, in ms. */
export const bellTtlMillis = 15_000;

/**
 * Listens to this member's bell: a dedicated connection pops rings with a blocking command.
 *
 * Rings that arrive while the member does not listen stay on the server for {@link bellTtlMillis}, so a broken
 * connection loses none. Both the blocking command and the wait for its reply are bounded, because a half-open
 * connection is silent. After an error the doorbell pauses and determines the bell's server again.
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

  /** Stops at once; resolves when the loop has ended. A second call does nothing. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#hangUp();
    this.#wake?.();
    await this.#ended;
  }

  /** Reconnects if another server has the bell now, or if the bell's server is unreachable. */
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
        // The other connections report the cause. On this one, the error may be the only sign of a failover.
        this.#failures++;
        this.#link.doubt();
        this.#hangUp();
        await this.#pause();
      }
    }
  }

  /** Disconnects, which rejects a pending pop. */
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
