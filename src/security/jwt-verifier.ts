/**
 * JSON Web Tokens (RFC 7519) of one issuer: signature by one of its published keys, issuer, audience and times. Only
 * asymmetric algorithms: a public key must never be taken for a shared secret.
 */
import {
  errors,
  jwtVerify,
  type CryptoKey,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type JWTPayload,
} from 'jose';
import type { Principal } from './principal.ts';
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

/** How much the issuer's clock and ours may differ. */
const clockToleranceSeconds = 30;

const maxSubjectLength = 255;
const maxGlobs = 50;

/** See the file header. */
export class JwtVerifier {
  readonly #settings: JwtSettings;
  readonly #keys: KeySource;
  readonly #now: () => number;

  /** @param now ms since 1970. */
  constructor(settings: JwtSettings, keys: KeySource, now: () => number) {
    this.#settings = settings;
    this.#keys = keys;
    this.#now = now;
  }

  /**
   * The owner of a token; undefined when the token is not good, for whatever reason.
   *
   * @throws KeysUnavailable when that cannot be told now.
   */
  async verify(token: string): Promise<Principal | undefined> {
    const { issuer, audience } = this.#settings;
    try {
      const { payload } = await jwtVerify(token, (header, input) => this.#keys.keyOf(header, input), {
        issuer,
        audience,
        algorithms,
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(this.#now()),
      });
      return this.#principalOf(payload);
    } catch (error) {
      // Whatever jose finds wrong with a token (or with the one key that it names) makes it no good.
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
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
