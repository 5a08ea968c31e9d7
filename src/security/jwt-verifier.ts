import {
  errors,
  jwtVerify,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type JWTPayload,
} from 'jose';
import type { Principal } from './principal.ts';
import { KeysUnavailable, UnusableKey } from './remote-key-set.ts';
import { isRole } from './roles.ts';

/** What makes a token good, and where its claims are. */
export interface JwtSettings {
  readonly issuer: string;
  readonly audience: string;
  /** Name of the claim, or the path to it with dots. */
  readonly rolesClaim: string;
  /** The same for globs of definitions. When given, a token without it sees none. */
  readonly definitionsClaim?: string;
}

/** Where keys come from. */
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

/** How much the clocks of issuer and server may differ. */
const clockToleranceSeconds = 30;

/** Keys about which is remembered that they were reported; an issuer publishes at most a hundred at a time. */
const maxReported = 1000;

const maxSubjectLength = 255;
const maxGlobs = 50;

/**
 * JSON Web Tokens (RFC 7519) of one issuer: signature by one of its published keys, issuer, audience and times. Only
 * asymmetric algorithms: a public key must never be taken for a shared secret.
 */
export class JwtVerifier {
  readonly #settings: JwtSettings;
  readonly #keys: KeySource;
  readonly #now: () => number;
  readonly #onBroken: (kid: string, error: Error) => void;
  readonly #reported = new Set<string>();

  /**
   * @param now ms since 1970.
   * @param onBroken called once per published key (`''`: none) that cannot be used, or has a token that cannot be: either the issuer
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
   * The owner of a token; undefined when the token is not good, for whatever reason: also one that breaks the library, or that was
   * signed with a key that cannot be used.
   *
   * @throws KeysUnavailable when that cannot be told now.
   */
  async verify(token: string): Promise<Principal | undefined> {
    const { issuer, audience } = this.#settings;
    // Only of a key that is published, so that no token can make up names for the log.
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
    // The library only sees that there is one; as anything but a text, several could be the same caller.
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

/** The claim of that name; else the one at that path, since some issuers nest them. */
function claimAt(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}

/** A list of texts, or one text with blanks between them. */
function textsOf(claim: unknown): readonly string[] {
  if (typeof claim === 'string') return claim.split(' ').filter((text) => text !== '');
  return Array.isArray(claim) ? claim.filter((text): text is string => typeof text === 'string' && text !== '') : [];
}
