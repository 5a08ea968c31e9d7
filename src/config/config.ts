/** A key that signs or verifies callback tokens. */
export interface CallbackKey {
  /** Name of the key, included in every token that it signs. */
  readonly kid: string;
  readonly secret: string;
}

/** An API key, stored as its digest. */
export interface ApiKeyConfig {
  readonly id: string;
  readonly sha256: string;
  readonly roles: readonly ('viewer' | 'runner' | 'author' | 'operator' | 'admin')[];
  readonly definitions?: readonly string[];
  /** In ms since 1970. */
  readonly expiresAt?: number;
}

/** `server.*`: where the API listens. */
export interface ServerConfig {
  readonly host: string;
  readonly port: number;
  /** A path prefix below which everything is served, too. */
  readonly basePath: string | undefined;
  /** Addresses and networks of proxies whose X-Forwarded-For is trusted. */
  readonly trustedProxies: readonly string[];
  /** Hosts that a server without authentication answers for, in any case, with or without a port. */
  readonly allowedHosts: readonly string[];
  /** False: serves health and metrics only. */
  readonly api: boolean;
  readonly tls: {
    readonly certFile: string | undefined;
    readonly keyFile: string | undefined;
    readonly clientCaFile: string | undefined;
  };
}

/** `runtime.*`: the workers. */
export interface RuntimeConfig {
  readonly enabled: boolean;
  readonly workerCount: number;
  readonly prefetch: number;
  readonly maxInHandBytes: number;
  readonly maxOutputBytes: number;
  readonly maxStepsPerExecution: number;
  readonly maxNodeVisits: number;
  readonly maxNodeVisitsCap: number;
  readonly drainTimeoutMillis: number;
  readonly livenessStallMillis: number;
  readonly fullSweepIntervalMillis: number;
  readonly callback: {
    /** Undefined: the server's own address if it listens on loopback; otherwise async nodes cannot run. */
    readonly baseUrl: string | undefined;
    readonly hmacSecret: string | undefined;
    readonly hmacKid: string;
    readonly keys: readonly CallbackKey[];
  };
}

/**
 * TLS for connections to a server: a group of keys with a value of its own, {@link isOn}. `redis.tls` is a flag,
 * `redis.tls.caFile` a key below it.
 */
export interface TlsConfig {
  readonly isOn: boolean;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly serverName: string | undefined;
}

/** `database.*`: the store. */
export interface DatabaseConfig {
  readonly driver: 'EMBEDDED' | 'POSTGRES';
  readonly dataDir: string;
  /** Overrides host, port, database, user and password. */
  readonly url: string | undefined;
  readonly host: string | undefined;
  readonly port: number;
  readonly database: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly ssl: TlsConfig;
  readonly pool: { readonly maxPoolSize: number; readonly minIdle: number };
  readonly statementTimeoutMillis: number;
}

/** `redis.*`: the queue. Its lease also applies to the in-process queue. */
export interface RedisConfig {
  readonly topology: 'NONE' | 'STANDALONE' | 'CLUSTER';
  readonly url: string | undefined;
  readonly cluster: { readonly nodes: readonly string[] };
  readonly commandTimeoutMillis: number;
  readonly tls: TlsConfig;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly queue: {
    readonly keyPrefix: string;
    readonly consumer: {
      readonly batchSize: number;
      readonly processingTimeoutMillis: number;
    };
  };
  readonly sharding: {
    readonly virtualShardCount: number;
    readonly podId: string;
    readonly membershipKey: string;
    readonly membershipTtlMillis: number;
    readonly heartbeatIntervalMillis: number;
    readonly refreshIntervalMillis: number;
    readonly claimerCount: number;
  };
}

/** `http.*`: outbound calls. */
export interface HttpConfig {
  readonly connectTimeoutMillis: number;
  readonly requestTimeoutMillis: number;
  readonly maxTimeoutMillis: number;
  readonly maxResponseBytes: number;
  readonly maxRetryAfterMillis: number;
  readonly perHost: {
    readonly maxConcurrency: number;
    /** Limits of concurrent calls by host, or by host and port. */
    readonly overrides: Readonly<Record<string, number>>;
  };
  readonly egress: {
    readonly allow: readonly string[];
    readonly deny: readonly string[];
    readonly allowPrivateFromData: readonly string[];
    readonly allowPrivate: boolean;
    /** The server's own listeners that calls may reach. */
    readonly allowOwn: readonly ('callbacks' | 'all')[];
    readonly proxy: string | undefined;
    readonly tls: {
      readonly caFile: string | undefined;
      readonly certFile: string | undefined;
      readonly keyFile: string | undefined;
    };
  };
}

/** `circuitBreaker.*`: when calls to a failing host are suspended. */
export interface CircuitBreakerConfig {
  readonly enabled: boolean;
  readonly failureThreshold: number;
  readonly openMillis: number;
}

/** `telemetry.*`: the destination and sampling of spans. */
export interface TelemetryConfig {
  readonly enabled: boolean;
  readonly serviceName: string;
  readonly otlpEndpoint: string;
  readonly compression: 'none' | 'gzip';
  /** From 0 to 1. */
  readonly sampleRatio: number;
}

/** `security.*`. */
export interface SecurityConfig {
  readonly allowUnauthenticated: boolean;
  readonly auth: {
    readonly enabled: boolean;
    readonly apiKeys: readonly ApiKeyConfig[];
    readonly jwt: {
      readonly issuer: string | undefined;
      readonly audience: string | undefined;
      readonly jwksUrl: string | undefined;
      readonly rolesClaim: string;
      readonly definitionsClaim: string | undefined;
    };
  };
  readonly limits: {
    readonly maxRequestBytes: number;
    readonly maxDefinitionBytes: number;
    readonly maxDefinitionNodes: number;
    readonly maxJsonDepth: number;
    readonly maxRenderedRequestBytes: number;
    readonly maxEvaluationSteps: number;
    readonly maxOpenRequests: number;
    readonly maxOpenRequestsPerCaller?: number | undefined;
    readonly maxHistoryBodyBytes: number;
    readonly failedAuthPerMinute: number;
    readonly callbacksPerExecution: number;
    readonly callbacksPerAddress: number;
  };
}

/**
 * The complete configuration: every value is present, checked and frozen. Only `load.ts` creates it; `keys/` defines
 * the keys with their defaults and bounds.
 */
export interface Config {
  readonly server: ServerConfig;
  readonly runtime: RuntimeConfig;
  readonly database: DatabaseConfig;
  readonly redis: RedisConfig;
  readonly http: HttpConfig;
  readonly circuitBreaker: CircuitBreakerConfig;
  readonly hooks: { readonly maxMillis: number; readonly deliverMillis: number };
  /** Variables of templates and conditions, by name. */
  readonly vars: Readonly<Record<string, string>>;
  readonly secrets: {
    readonly dir: string | undefined;
    readonly envPrefix: string;
    /** The only places where some secrets may go, by name of the secret. */
    readonly hosts: Readonly<Record<string, readonly string[]>>;
  };
  readonly ui: { readonly enabled: boolean };
  readonly metrics: { readonly enabled: boolean; readonly public: boolean };
  readonly telemetry: TelemetryConfig;
  readonly maintenance: {
    readonly enabled: boolean;
    readonly retentionDays: number;
    readonly partitionLookaheadMonths: number;
    readonly intervalMillis: number;
  };
  readonly security: SecurityConfig;
  readonly logging: {
    readonly level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
    /** Undefined: `pretty` on a terminal, else `json`. */
    readonly format: 'json' | 'pretty' | undefined;
  };
}

/**
 * Whether a type is the value of one key instead of a group of keys. Maps have arbitrary names, groups have known ones.
 */
type IsLeaf<T> = T extends readonly unknown[]
  ? true
  : T extends object
    ? string extends keyof T
      ? true
      : false
    : true;

/** A group whose own path is also a key. */
interface SwitchedGroup {
  readonly isOn: boolean;
}

/** Dotted paths of the keys of a group. */
export type PathsOf<T> = {
  [K in keyof Named<T> & string]: IsLeaf<T[K]> extends true
    ? K
    : `${K}.${PathsOf<T[K]>}` | (T[K] extends SwitchedGroup ? K : never);
}[keyof Named<T> & string];

/** The members of a group that have paths of their own. */
type Named<T> = Omit<T, keyof SwitchedGroup>;

/** The value at a dotted path. */
export type ValueAt<T, P extends string> = P extends `${infer Head}.${infer Rest}`
  ? Head extends keyof T
    ? ValueAt<T[Head], Rest>
    : never
  : P extends keyof T
    ? T[P] extends SwitchedGroup
      ? T[P]['isOn']
      : T[P]
    : never;

/** Every key, as a dotted path. */
export type ConfigPath = PathsOf<Config>;

/** The type of a key's value. */
export type ConfigValue<P extends ConfigPath> = ValueAt<Config, P>;
