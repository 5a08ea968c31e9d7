import {
  errors,
  jwtVerify,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type JWTPayload,
} from 'jose';
import { KeysUnavailable } from './keys-unavailable.ts';
import type { Principal } from './principal.ts';
import { UnusableKey } from './remote-key-set.ts';
import { isRole } from './roles.ts';

/** Requirements on tokens, and the names of their claims. */
export interface JwtSettings {
  readonly issuer: string;
  readonly audience: string;
  /** Name of the claim, or its dotted path. */
  readonly rolesClaim: string;
  /** Name or path of the claim with globs of definitions. If given, a token without that claim sees no definition. */
  readonly definitionsClaim?: string;
}

/** Source of the issuer's keys. */
export interface KeySource {
  keyOf(header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey>;
}

const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Tolerated difference between the clocks of issuer and server. */
const clockToleranceSeconds = 30;

/** Bound on the remembered ids of keys already reported; an issuer publishes at most a hundred at a time. */
const maxReported = 1000;

const maxSubjectLength = 255;
const maxGlobs = 50;

/**
 * Verifies JSON Web Tokens (RFC 7519) of one issuer: the signature by one of its published keys, issuer, audience and
 * times. Accepts asymmetric algorithms only, because a public key must never serve as a shared secret.
 */
export class JwtVerifier {
  readonly #settings: JwtSettings;
  readonly #keys: KeySource;
  readonly #now: () => number;
  readonly #onBroken: (kid: string, error: Error) => void;
  readonly #reported = new Set<string>();

  /**
   * @param now ms since 1970.
   * @param onBroken called once per published key (`''`: no key id) whose verification breaks: either the issuer
   * publishes an unusable key, or a caller sends a token that breaks the library. Must not throw.
   */
  constructor(
    settings: JwtSettings,
    keys: KeySource,
    now: () => number,
    onBroken: (kid: string, error: Error) => void = () => undefined,
  ) {
    this.#settings = settings;
    this.#keys = keys;
    this.#now = now;
    this.#onBroken = onBroken;
  }

  /**
   * The owner of a token; undefined if the token is invalid for any reason, including one that breaks the library or
   * was signed with an unusable key.
   *
   * @throws KeysUnavailable if the token cannot be verified now.
   */
  async verify(token: string): Promise<Principal | undefined> {
    const { issuer, audience } = this.#settings;
    // Reports published keys only, so that no token can put invented names into the log.
    let kid = '';
    const keyOf = async (header: JWSHeaderParameters, input: FlattenedJWSInput): Promise<CryptoKey> => {
      const key = await this.#keys.keyOf(header, input);
      kid = header.kid ?? '';
      return key;
    };
    try {
      const { payload } = await jwtVerify(token, keyOf, {
        issuer,
        audience,
        algorithms,
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(this.#now()),
      });
      return this.#principalOf(payload);
    } catch (error) {
      if (error instanceof KeysUnavailable) throw error;
      if (error instanceof UnusableKey) this.#report(error.kid, error);
      else if (!(error instanceof errors.JOSEError)) this.#report(kid, error);
      return undefined;
    }
  }

  #report(kid: string, error: unknown): void {
    if (this.#reported.has(kid)) return;
    if (this.#reported.size >= maxReported) this.#reported.clear();
    this.#reported.add(kid);
    this.#onBroken(kid, error instanceof Error ? error : new Error(String(error)));
  }

  #principalOf(payload: JWTPayload): Principal | undefined {
    // The library only checks that a subject exists. A subject that is not text could make several callers look the
    // same.
    const { sub, exp = 0 }: { readonly sub?: unknown; readonly exp?: number } = payload;
    if (typeof sub !== 'string' || sub === '' || sub.length > maxSubjectLength) return undefined;
    const { rolesClaim, definitionsClaim } = this.#settings;
    const roles = textsOf(claimAt(payload, rolesClaim)).filter(isRole);
    const expiresAt = (exp + clockToleranceSeconds) * 1000;
    if (definitionsClaim === undefined) return { id: `jwt:${sub}`, roles, expiresAt };
    return {
      id: `jwt:${sub}`,
      roles,
      expiresAt,
      definitions: textsOf(claimAt(payload, definitionsClaim)).slice(0, maxGlobs),
    };
  }
}

/** The claim with that name, else the claim at that dotted path, since some issuers nest claims. */
function claimAt(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}

/** A list of texts, or the words of one space-separated text. */
function textsOf(claim: unknown): readonly string[] {
  if (typeof claim === 'string') return claim.split(' ').filter((text) => text !== '');
  return Array.isArray(claim) ? claim.filter((text): text is string => typeof text === 'string' && text !== '') : [];
}
