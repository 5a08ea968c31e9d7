/**
 * The configuration as the program uses it: every value present, checked and frozen. Made only by `load.ts`; which keys
 * there are, with their defaults and bounds, stands in `keys/`.
 */

/** A key that signs or verifies callback tokens. */
export interface CallbackKey {
  /** Name of the key, part of every token that it signs. */
  readonly kid: string;
  readonly secret: string;
}

/** An API key, by its digest. */
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
  /** Addresses and networks whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** Hosts under which a server without authentication answers, in lower case or not, each with a port or without one. */
  readonly allowedHosts: readonly string[];
  /** False: health and metrics only. */
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
    /** Undefined: the server's own address where it listens on loopback, else async nodes cannot run. */
    readonly baseUrl: string | undefined;
    readonly hmacSecret: string | undefined;
    readonly hmacKid: string;
    readonly keys: readonly CallbackKey[];
  };
}

/**
 * TLS towards a server: a group of keys that has a value itself, {@link isOn}: `redis.tls` is a flag, `redis.tls.caFile` a key
 * below it.
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
  /** Wins over host, port, database, user and password. */
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

/** `redis.*`: the queue. The lease holds for the queue in the process, too. */
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
    /** Concurrent calls by host, or host and port. */
    readonly overrides: Readonly<Record<string, number>>;
  };
  readonly egress: {
    readonly allow: readonly string[];
    readonly deny: readonly string[];
    readonly allowPrivateFromData: readonly string[];
    readonly allowPrivate: boolean;
    /** What calls may reach of the server's own listeners. */
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

/** `telemetry.*`: where spans go, and how many. */
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

/** The whole configuration. */
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
    /** The only places where some secrets may go, by name. */
    readonly hosts: Readonly<Record<string, readonly string[]>>;
  };
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

/** Whether a value is one key's value rather than a group of keys: maps have any name, groups have known ones. */
type IsLeaf<T> = T extends readonly unknown[]
  ? true
  : T extends object
    ? string extends keyof T
      ? true
      : false
    : true;

/** A group whose own path is a key, too. */
interface SwitchedGroup {
  readonly isOn: boolean;
}

/** Dotted paths of the keys of a group. */
export type PathsOf<T> = {
  [K in keyof Named<T> & string]: IsLeaf<T[K]> extends true
    ? K
    : `${K}.${PathsOf<T[K]>}` | (T[K] extends SwitchedGroup ? K : never);
}[keyof Named<T> & string];

/** What a path has a name for. */
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
