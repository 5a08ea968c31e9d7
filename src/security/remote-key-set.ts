import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWK,
  type JSONWebKeySet,
  type JWSHeaderParameters,
  type LocalJWKSet,
} from 'jose';
import { KeysUnavailable } from './keys-unavailable.ts';

/** A published key is malformed or of a kind that the library does not support. */
export class UnusableKey extends Error {
  override readonly name = 'UnusableKey';
  /** The key's id; `''` if it has none. */
  readonly kid: string;

  constructor(kid: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.kid = kid;
  }
}

/** Options of {@link RemoteKeySet}. */
export interface RemoteKeySetOptions {
  readonly url: string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Called with the reason when a fetch fails. Must not throw. */
  readonly onFailure: (error: Error) => void;
  /** `fetch` by default. */
  readonly fetch?: typeof fetch;
}

const timeoutMillis = 5000;
const maxBytes = 256 * 1024;
const maxKeys = 100;

/** Keys older than this are fetched again in the background. */
const refreshAfterMillis = 10 * 60_000;
/** Keys older than this are not used. */
const expireAfterMillis = 24 * 3_600_000;
/** Shortest pause before the next fetch, after a success and after a failure. */
const pauseMillis = { fetched: 10_000, failed: 1000 };

interface Fetched {
  readonly keys: LocalJWKSet;
  readonly at: number;
}

/**
 * The public keys of a token issuer, fetched from its JWKS URL and cached.
 *
 * Guarantees one fetch at a time and a pause after each, whatever tokens arrive. An unknown key id triggers a fetch, so
 * that rotated keys are found at once. The first request that finds the keys older than ten minutes triggers a fetch in
 * the background. While the issuer is unavailable, cached keys stay valid for at most a day, because a revoked key must
 * not work for ever. Responses are bounded in bytes, keys and time; redirects are not followed.
 */
export class RemoteKeySet {
  readonly #options: RemoteKeySetOptions;
  #fetched: Fetched | undefined;
  #fetching: Promise<boolean> | undefined;
  #nextFetchAt = -Infinity;
  #hasFailed = false;

  constructor(options: RemoteKeySetOptions) {
    this.#options = options;
  }

  /**
   * The key that verifies a token with this header.
   *
   * @throws KeysUnavailable if no keys are cached, or the issuer is unavailable and might know this key;
   * {@link UnusableKey} if the key cannot be used; the errors of `jose` if no key or several keys match.
   */
  async keyOf(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const kept = this.#usable();
    if (kept === undefined) {
      await this.#refresh();
      return find(this.#usable() ?? unavailable(), header, token);
    }
    // Runs in the background; a failure is reported, and the current keys stay valid.
    if (this.#options.now() - kept.at > refreshAfterMillis) void this.#refresh();
    try {
      return await find(kept, header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#refresh();
      const newer = this.#usable();
      if (newer !== undefined && newer !== kept) return find(newer, header, token);
      if (this.#hasFailed) unavailable();
      throw error;
    }
  }

  #usable(): Fetched | undefined {
    const kept = this.#fetched;
    return kept !== undefined && this.#options.now() - kept.at < expireAfterMillis ? kept : undefined;
  }

  /** Fetches the keys unless a fetch has just ended; joins a fetch under way. Never throws. */
  async #refresh(): Promise<void> {
    if (this.#fetching === undefined && this.#options.now() >= this.#nextFetchAt) {
      this.#fetching = this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
    }
    await this.#fetching;
  }

  async #fetch(): Promise<boolean> {
    const { now, onFailure } = this.#options;
    try {
      this.#fetched = { keys: createLocalJWKSet(wellFormed(await this.#download())), at: now() };
      this.#hasFailed = false;
    } catch (error) {
      this.#hasFailed = true;
      onFailure(error instanceof Error ? error : new Error(String(error)));
    }
    this.#nextFetchAt = now() + (this.#hasFailed ? pauseMillis.failed : pauseMillis.fetched);
    return !this.#hasFailed;
  }

  async #download(): Promise<JSONWebKeySet> {
    const { url, fetch: get = fetch } = this.#options;
    const response = await get(url, {
      redirect: 'error',
      headers: { accept: 'application/jwk-set+json, application/json' },
      signal: AbortSignal.timeout(timeoutMillis),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`The JWKS URL answered ${response.status}.`);
    }
    const keySet = JSON.parse(await textOf(response)) as JSONWebKeySet;
    if (!Array.isArray(keySet?.keys)) throw new Error('The JWKS URL answered with something that is no key set.');
    if (keySet.keys.length > maxKeys) throw new Error(`The key set has more than ${maxKeys} keys.`);
    return keySet;
  }
}

/** @throws UnusableKey if the library cannot use the key that it finds. */
async function find({ keys }: Fetched, header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
  try {
    return await keys(header, token);
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
    throw new UnusableKey(header.kid ?? '', error);
  }
}

/** The well-formed keys of a set: a malformed entry must not make the others unusable. */
function wellFormed(keySet: JSONWebKeySet): JSONWebKeySet {
  const isKey = (key: JWK): boolean => {
    try {
      createLocalJWKSet({ keys: [key] });
      return true;
    } catch {
      // Drops the entry; a token that names it then fails like one with an unknown key.
      return false;
    }
  };
  return { keys: keySet.keys.filter(isKey) };
}

function unavailable(): never {
  throw new KeysUnavailable('The keys of the token issuer are unavailable.');
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new Error(`The key set has more than ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
