import { parseInstant } from '../../core/value/instant.ts';
import type { ApiKeyConfig } from '../config.ts';
import type { SectionKeys } from '../key.ts';
import { baseUrl, flag, isRecord, list, optional, parsedText, text, unreadable, type Kind } from '../kinds.ts';

const roleNames = ['viewer', 'runner', 'author', 'operator', 'admin'] as const;

const fields: ReadonlySet<string> = new Set(['id', 'sha256', 'roles', 'definitions', 'expiresAt']);

/** Bound on API keys: each request is compared with all of them. */
const maxApiKeys = 1000;

/** Bound on the globs of a key: each is a condition of every list that the key requests. */
const maxGlobs = 100;

const roleList = list('roles', (item) => (roleNames as readonly string[]).includes(item));
/** Refuses wildcards of other glob dialects, which would silently match nothing. */
const globList = list('globs', (item) => item.length <= 256 && !/[?[\]]/.test(item));

function readApiKey(raw: unknown): ApiKeyConfig | undefined {
  if (!isRecord(raw) || Object.keys(raw).some((name) => !fields.has(name))) return undefined;
  const { id, sha256, expiresAt } = raw;
  if (typeof id !== 'string' || !/^[\w.@-]{1,64}$/.test(id)) return undefined;
  if (typeof sha256 !== 'string' || !/^[\da-f]{64}$/i.test(sha256)) return undefined;
  const roles = roleList.read(raw['roles']);
  if (roles === unreadable || roles.length === 0) return undefined;
  const definitions = raw['definitions'] === undefined ? undefined : globList.read(raw['definitions']);
  if (definitions === unreadable || definitions?.length === 0) return undefined;
  if (definitions !== undefined && definitions.length > maxGlobs) return undefined;
  const until = typeof expiresAt === 'string' ? parseInstant(expiresAt) : undefined;
  if (until === undefined && expiresAt !== undefined) return undefined;
  return Object.freeze({
    id,
    sha256: sha256.toLowerCase(),
    roles: roles as ApiKeyConfig['roles'],
    ...(definitions !== undefined && { definitions }),
    ...(until !== undefined && { expiresAt: until }),
  });
}

const apiKeys: Kind<readonly ApiKeyConfig[]> = {
  type: 'list of { id, sha256, roles, definitions?, expiresAt? }',
  expected:
    'a list of { id, sha256, roles, definitions?, expiresAt? }: ids of letters, digits and _.@-, 64 hexadecimal digits, ' +
    'at least one role, globs whose only wildcard is *, an ISO 8601 time with offset',
  read(raw) {
    const value = parsedText(raw);
    if (!Array.isArray(value) || value.length > maxApiKeys) return unreadable;
    const keys = value.map((item) => readApiKey(item));
    return keys.every((key) => key !== undefined) ? Object.freeze(keys) : unreadable;
  },
};

const claim = text('the name of a claim, or the path to it with dots');

type Auth = SectionKeys<'security'>;

/** Keys of authentication. */
export const authKeys: Pick<Auth, Extract<keyof Auth, `security.auth.${string}`>> = {
  'security.auth.enabled': {
    meaning: 'Whether requests need credentials. Set to false, it admits every request, regardless of configured keys.',
    kind: flag,
    derived: {
      text: 'true once there are `security.auth.apiKeys` or a `security.auth.jwt.issuer`',
      from: (read) => read('security.auth.apiKeys').length > 0 || read('security.auth.jwt.issuer') !== undefined,
    },
  },
  'security.auth.apiKeys': {
    meaning:
      'API keys, by the SHA-256 of each; `trama keys create` makes one. `definitions` limits a key to definitions whose ' +
      'name fits one of the globs; `expiresAt` ends it. As an environment variable a JSON array.',
    secret: true,
    kind: apiKeys,
    default: [],
  },
  'security.auth.jwt.issuer': {
    meaning: 'The `iss` of JSON Web Tokens that are accepted.',
    kind: optional(text()),
    default: undefined,
  },
  'security.auth.jwt.audience': {
    meaning: 'The `aud` that tokens must have.',
    kind: optional(text()),
    default: undefined,
  },
  'security.auth.jwt.jwksUrl': {
    meaning: 'Where the issuer publishes its keys.',
    kind: optional(baseUrl),
    default: undefined,
  },
  'security.auth.jwt.rolesClaim': {
    meaning: 'The claim that holds roles: a list, or one text with blanks between them.',
    kind: claim,
    default: 'roles',
  },
  'security.auth.jwt.definitionsClaim': {
    meaning:
      'The claim that holds globs of definitions. When it is set, a token sees only what fits, and without the claim nothing.',
    kind: optional(claim),
    default: undefined,
  },
};
