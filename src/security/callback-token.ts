import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { CallbackClaims, CallbackVerification } from '../ports/callback-token.ts';

/** One signing key. */
export interface CallbackKey {
  /** Names the key inside tokens. */
  readonly kid: string;
  readonly secret: string;
}

/** The prefix of every token. */
export const callbackTokenPrefix: string = 'trc1.';

/** Matches tokens in any text, truncated ones too. Global: use it with `replace`, not with `test`. */
export const callbackTokenPattern: RegExp = /trc1\.[\w-]+(?:\.[\w-]+){0,2}/g;

/**
 * Longer tokens are malformed. The bound fits 128 characters of node id in UTF-8 and base64url, and everything else.
 */
const maxTokenLength = 4096;

const tokenForm = /^trc1\.[\w-]+\.[\w-]+\.[\w-]{43}$/;

interface LiveKey {
  readonly key: KeyObject;
  readonly encodedKid: string;
}

/**
 * Issues and verifies tokens that let a downstream finish one operation of one node, and nothing else. Immutable; uses
 * the keys of one configuration.
 *
 * `trc1.<kid>.<claims>.<mac>`: three base64url parts behind a fixed prefix, so that a token fits any URL or header and
 * {@link callbackTokenPattern} can mask it. The MAC is HMAC-SHA256 over everything before it, so it also covers key id
 * and format. Claims are readable; a token grants a right and keeps no secret.
 */
export class CallbackTokens {
  readonly #byEncodedKid = new Map<string, LiveKey>();
  readonly #signing: LiveKey;

  /**
   * @param keys the first key signs, all keys verify.
   * @throws TypeError if there is no key, a key id is blank or repeated, or a secret is blank.
   */
  constructor(keys: readonly CallbackKey[]) {
    for (const { kid, secret } of keys) {
      if (kid.trim() === '') throw new TypeError('A callback key has a blank key id.');
      if (secret.trim() === '') throw new TypeError(`The callback key ${kid} has an empty secret.`);
      const encodedKid = encode(kid);
      if (this.#byEncodedKid.has(encodedKid)) throw new TypeError(`The callback key id ${kid} is given twice.`);
      this.#byEncodedKid.set(encodedKid, { key: createSecretKey(secret, 'utf8'), encodedKid });
    }
    const first = this.#byEncodedKid.values().next().value;
    if (first === undefined) throw new TypeError('Callbacks need at least one key.');
    this.#signing = first;
  }

  /** The id of the key that signs: `used` if that key is configured, else the first key. */
  keyFor(used: string | undefined): string {
    return used !== undefined && this.#byEncodedKid.has(encode(used)) ? used : decode(this.#signing.encodedKid);
  }

  /**
   * Issues the token for these claims, signed with the key `kid`, or with the first key if that one is not configured.
   * The same claims and key always give the same token.
   */
  issue(claims: CallbackClaims, kid?: string): string {
    const { executionId, round, nodeId, visit, operation, nonce } = claims;
    const payload = encode(JSON.stringify([executionId, round, nodeId, visit, operation, nonce]));
    const { encodedKid, key } = (kid === undefined ? undefined : this.#byEncodedKid.get(encode(kid))) ?? this.#signing;
    const signed = `${callbackTokenPrefix}${encodedKid}.${payload}`;
    return `${signed}.${macOf(signed, key)}`;
  }

  /** Verifies a token, comparing MACs in constant time. Never throws. */
  verify(token: string): CallbackVerification {
    if (token.length > maxTokenLength || !tokenForm.test(token)) return malformed;
    const kidEnd = token.indexOf('.', callbackTokenPrefix.length);
    const claimsEnd = token.lastIndexOf('.');
    const live = this.#byEncodedKid.get(token.slice(callbackTokenPrefix.length, kidEnd));
    if (live === undefined) return { ok: false, problem: 'unknown_kid' };
    // Compares the text instead of the decoded bytes: four spellings of the last character decode alike, and only one
    // is the token.
    const expected = Buffer.from(macOf(token.slice(0, claimsEnd), live.key), 'latin1');
    const given = Buffer.from(token.slice(claimsEnd + 1), 'latin1');
    if (!timingSafeEqual(expected, given)) return { ok: false, problem: 'signature' };
    const claims = readClaims(token.slice(kidEnd + 1, claimsEnd));
    return claims === undefined ? malformed : { ok: true, claims };
  }

  /** The callback URL of a node; the token travels in `X-Callback-Token`. */
  url(base: string, executionId: string, nodeId: string): string {
    // A lone surrogate cannot be encoded. The token, not the path, identifies the node.
    const node = encodeURIComponent(nodeId.toWellFormed());
    return `${base.replace(/\/+$/, '')}/workflows/${executionId}/node/${node}/callback`;
  }

  /** The callback URL of a node with the token as its last segment. */
  signedUrl(base: string, executionId: string, nodeId: string, token: string): string {
    return `${this.url(base, executionId, nodeId)}/${token}`;
  }
}

const malformed: CallbackVerification = { ok: false, problem: 'malformed' };

function macOf(text: string, key: KeyObject): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}

function decode(text: string): string {
  return Buffer.from(text, 'base64url').toString('utf8');
}

function readClaims(payload: string): CallbackClaims | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(decode(payload));
  } catch {
    // The key signed it, but another version or program wrote the claims: the token is malformed.
    return undefined;
  }
  if (!Array.isArray(parts) || parts.length !== 6) return undefined;
  const [executionId, round, nodeId, visit, operation, nonce] = parts as unknown[];
  const texts = typeof executionId === 'string' && typeof nodeId === 'string' && typeof nonce === 'string';
  if (!texts || !isCount(round) || !isCount(visit) || !isCount(operation)) return undefined;
  return { executionId, round, nodeId, visit, operation, nonce };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
