import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { clientCertificate, clientKey } from '../../certificates.ts';
import { Pod } from '../../chaos/pod.ts';
import { type Answer, type Received, ScriptedDownstream } from '../../e2e/stage/downstream.ts';
import { OtlpReceiver } from '../../otlp-receiver.ts';
import { freePorts } from '../../servers/free-ports.ts';
import { PostgresServer } from '../../servers/postgres.ts';
import { RedisServer } from '../../servers/redis.ts';
import { Canaries } from './canaries.ts';
import { ScriptedTokens } from './tokens.ts';

/** Characters around a core that fit a header, and that every encoder writes in its own way. */
export const sharp = (core: string): string => `"\\/${core}+&= '<%41${core}\\"/`;

/** How long a process may take to answer; those that wait for an execution answer within a minute. */
const requestTimeoutMillis = 90_000;

/** Starts a process again when it gave up: on a machine that is busy with other things the store may be too slow for it. */
async function ready(start: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await start();
      return;
    } catch (error) {
      if (tries === maxStarts || !String(error).includes('Postgres cannot answer')) throw error;
    }
  }
}

const maxStarts = 5;

/** How values of Redis are read whole. */
const reads: Readonly<Record<string, (redis: RedisServer['admin'], key: string) => Promise<unknown>>> = {
  string: (redis, key) => redis.get(key),
  hash: (redis, key) => redis.hgetall(key),
  list: (redis, key) => redis.lrange(key, 0, -1),
  set: (redis, key) => redis.smembers(key),
  zset: (redis, key) => redis.zrange(key, 0, '-1', 'WITHSCORES'),
};

/** An answer of a process. */
export interface Said {
  readonly status: number;
  readonly text: string;
}

/** A request to a process. */
export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  /** The API-only process instead of the worker. */
  readonly other?: boolean;
  /** Instead of the API key of the administrator; empty: none. */
  readonly authorization?: string;
}

/**
 * An installation with a secret in every place that has one: two processes on a real Postgres and a real Redis, a collector
 * of spans, a token issuer, a token endpoint, and a downstream that gives back all it is told. Whatever any of them says is
 * kept, to be searched in the end.
 */
export class Estate {
  readonly canaries = new Canaries();
  /** What was said, by where: the kinds of places are the parts before the first blank. */
  readonly said: [place: string, text: string][] = [];
  readonly downstream = new ScriptedDownstream((request) => this.#echo(request));
  readonly tokens = new ScriptedTokens((name, shape) => this.canaries.plant(name, 'secret', shape));
  readonly receiver = new OtlpReceiver();
  readonly secrets = this.#plantSecrets();
  readonly #adminKey = this.canaries.plant('AdminKey', 'secret', (core) => `trama_${core}`);
  #directory = '';
  #database = '';
  #postgres: PostgresServer | undefined;
  #redis: RedisServer | undefined;
  #pods: readonly Pod[] = [];
  #sign: (claims: object) => Promise<string> = () => Promise.reject(new Error('not open'));

  async open(): Promise<void> {
    const redisPassword = this.canaries.plant('RedisPassword');
    this.#directory = await mkdtemp(join(tmpdir(), 'trama-leaks-'));
    const secretsDirectory = await mkdtemp(join(this.#directory, 'secrets-'));
    await writeFile(join(secretsDirectory, 'FILE_KEY'), `${this.secrets.FILE_KEY}\n`);
    await writeFile(join(this.#directory, 'client.pem'), clientCertificate);
    await writeFile(join(this.#directory, 'client.key'), clientKey);
    this.canaries.adopt('TlsKey', clientKey.split('\n')[1] ?? '');
    [this.#postgres, this.#redis] = await Promise.all([
      PostgresServer.create(),
      RedisServer.start({ directives: { requirepass: redisPassword }, client: { password: redisPassword } }),
      this.downstream.open(),
      this.tokens.open(),
      this.receiver.open(),
    ]);
    this.#database = await this.#postgres.createDatabase();
    const monitor = await this.#redis.admin.monitor();
    // Redis goes away in between.
    monitor.on('error', () => undefined);
    monitor.on('monitor', (_time: string, args: readonly string[]) => {
      this.say('redis command', args.join(' '));
    });
    const databasePassword = this.canaries.plant('DatabasePassword');
    const env = {
      ...this.#secretEnv(),
      ...(await this.#accessEnv()),
      DATABASE_URL: this.#postgres.url(this.#database).replace('trama@', `trama:${databasePassword}@`),
      REDIS_URL: `redis://:${redisPassword}@127.0.0.1:${String(this.#redis.port)}`,
      RUNTIME_CALLBACK_HMACSECRET: this.canaries.plant(
        'HmacSecret',
        'secret',
        (core) => `${core}-long-enough-to-be-one`,
      ),
      RUNTIME_CALLBACK_KEYS: JSON.stringify([
        { kid: 'new', secret: this.canaries.plant('CallbackKey', 'secret', sharp) },
      ]),
      RUNTIME_DRAINTIMEOUTMILLIS: '2000',
      SECRETS_DIR: secretsDirectory,
      HTTP_EGRESS_TLS_CERTFILE: join(this.#directory, 'client.pem'),
      HTTP_EGRESS_TLS_KEYFILE: join(this.#directory, 'client.key'),
      HTTP_EGRESS_DENY: '127.0.0.9,*.refused.example',
      CIRCUITBREAKER_FAILURETHRESHOLD: '2',
      CIRCUITBREAKER_OPENMILLIS: '100',
      HTTP_MAXRESPONSEBYTES: '65536',
      TELEMETRY_ENABLED: 'true',
      TELEMETRY_OTLPENDPOINT: this.receiver.url,
      LOGGING_LEVEL: 'trace',
    };
    const ports = await freePorts(2);
    const [worker, server] = ports.map((port, i) => new Pod(`pod-${String(i)}`, port, env));
    if (worker === undefined || server === undefined) throw new Error('There are too few ports.');
    await ready(() => worker.launch().said(/"msg":"ready"/));
    this.#pods = [worker];
    await ready(() => server.launch({ RUNTIME_ENABLED: 'false', LOGGING_FORMAT: 'pretty' }).said(/INFO: ready/));
    this.#pods = [worker, server];
    this.configuration = { ...env, PORT: String(worker.port) };
  }

  /** The environment of the worker. */
  configuration: Readonly<Record<string, string>> = {};

  async close(): Promise<void> {
    await this.stop();
    await Promise.all([this.downstream.close(), this.tokens.close(), this.receiver.close()]);
    await Promise.all([this.#postgres?.remove(), this.#redis?.close()]);
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Stops the processes and keeps their logs. A second call does nothing. */
  async stop(): Promise<void> {
    const pods = this.#pods;
    this.#pods = [];
    const endings = await Promise.all(pods.map((pod) => pod.stop()));
    for (const [i, { out, notes }] of endings.entries()) {
      this.say(`log pod-${String(i)}`, out);
      this.say(`log pod-${String(i)} errors`, notes);
    }
  }

  say(place: string, text: string): void {
    this.said.push([place, text]);
  }

  /** What was said in places of this kind. */
  texts(kind: string): readonly string[] {
    return this.said.filter(([place]) => place.startsWith(kind)).map(([, text]) => text);
  }

  /** A token of the issuer with the role of an administrator. */
  async jwt(): Promise<string> {
    return this.canaries.adopt('Jwt', await this.#sign({ roles: 'admin' }));
  }

  /** Asks a process and keeps the answer: as `error …` where it is one, else as `api …`. */
  async ask(name: string, path: string, asking: Asking = {}): Promise<Said> {
    const { method = 'GET', headers = {}, body, other = false, authorization = `Bearer ${this.#adminKey}` } = asking;
    const pod = this.#pods[other ? 1 : 0];
    const answer = await fetch(path.startsWith('http') ? path : `${pod?.url ?? ''}${path}`, {
      method,
      headers: {
        ...(authorization !== '' && { authorization }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(requestTimeoutMillis),
    });
    const text = await answer.text();
    this.say(`${answer.status >= 400 ? 'error' : 'api'} ${name}`, `${JSON.stringify([...answer.headers])} ${text}`);
    return { status: answer.status, text };
  }

  /** Starts an execution; answers its id. */
  async start(definition: object, fields: object = {}): Promise<string> {
    const { status, text } = await this.ask('run', '/workflows/run', {
      method: 'POST',
      body: { definition, ...fields },
    });
    if (status !== 200) throw new Error(`${String(status)} ${text}`);
    return (JSON.parse(text) as { id: string }).id;
  }

  /** Runs a definition to its end; answers the execution's id. */
  async run(definition: object, fields: object = {}): Promise<string> {
    const path = `/workflows/run?waitMillis=60000`;
    const { text } = await this.ask('run', path, { method: 'POST', body: { definition, ...fields } });
    const { id, completedAt } = JSON.parse(text) as { id: string; completedAt?: string };
    if (completedAt === undefined) throw new Error(`Not over in time: ${text}`);
    return id;
  }

  /** Every row of the store, by table; steps of these executions aside, since templates need what a downstream said. */
  async rows(echoed: readonly string[]): Promise<readonly (readonly [table: string, row: string])[]> {
    const server = this.#postgres;
    if (server === undefined) throw new Error('The estate is not open.');
    const tables = await server.query(
      `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
      this.#database,
    );
    const rows: (readonly [string, string])[] = [];
    for (const { relname } of tables) {
      const table = String(relname);
      const isStep = table.startsWith('step');
      const call = isStep ? `coalesce(t.call, (t."row"::json -> 'call')::text)` : 'NULL';
      const found = await server.query(`SELECT t::text AS row, ${call} AS call FROM "${table}" t`, this.#database);
      // The answer of such a step is what templates need; the call in it is for people alone.
      const kept = found.flatMap(({ row, call: shown }) => {
        const isEchoed = isStep && echoed.some((id) => String(row).includes(id));
        if (!isEchoed) return [String(row)];
        return typeof shown === 'string' ? [shown] : [];
      });
      rows.push(...kept.map((text) => [table, text] as const));
    }
    return rows;
  }

  /** Every key of Redis with all that it holds. */
  async keys(): Promise<readonly string[]> {
    const { admin } = this.#redis ?? {};
    if (admin === undefined) throw new Error('The estate is not open.');
    const found: string[] = [];
    for (const key of await admin.keys('*')) {
      const type = await admin.type(key);
      // Its time was over between the two commands.
      if (type === 'none') continue;
      const read = reads[type];
      if (read === undefined) throw new Error(`No reader for ${key}.`);
      found.push(`${key} ${JSON.stringify(await read(admin, key))}`);
    }
    return found;
  }

  /** Lets Redis go away and come back. */
  async interruptRedis(): Promise<void> {
    await this.#redis?.kill();
    await this.#redis?.run();
  }

  #plantSecrets() {
    const { canaries } = this;
    return {
      ENV_KEY: canaries.plant('EnvKey', 'secret', sharp),
      FILE_KEY: canaries.plant('FileKey', 'secret', (core) => `-----BEGIN\n"é${core}\\\té\n${core}/&\n`.trimEnd()),
      USER: canaries.plant('User', 'secret', (core) => `${core}@"x`),
      PASSWORD: canaries.plant('Password', 'secret', sharp),
      BEARER: canaries.plant('Bearer', 'secret', (core) => `${core}~+/=`),
      CLIENT_ID: canaries.plant('ClientId', 'secret', sharp),
      CLIENT_SECRET: canaries.plant('ClientSecret', 'secret', sharp),
      // Hosts are written in lower case.
      HOST: canaries.plant('Host'),
      BOUND: canaries.plant('Bound', 'secret', sharp),
    };
  }

  #secretEnv(): Record<string, string> {
    const fromEnvironment = Object.entries(this.secrets).filter(([name]) => name !== 'FILE_KEY');
    return {
      ...Object.fromEntries(fromEnvironment.map(([name, value]) => [`TRAMA_SECRET_${name}`, value])),
      SECRETS_HOSTS: JSON.stringify({ BOUND: ['ledger.example'] }),
    };
  }

  async #accessEnv(): Promise<Record<string, string>> {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
    this.tokens.keys = JSON.stringify({ keys: [jwk] });
    this.#sign = (claims) =>
      new SignJWT({ iss: 'https://id.example', aud: 'trama', sub: 'alice', ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'one' })
        .setExpirationTime('5 minutes')
        .sign(privateKey);
    const sha256 = createHash('sha256').update(this.#adminKey).digest('hex');
    return {
      SECURITY_AUTH_APIKEYS: JSON.stringify([{ id: 'root', sha256, roles: ['admin'] }]),
      SECURITY_AUTH_JWT_ISSUER: 'https://id.example',
      SECURITY_AUTH_JWT_AUDIENCE: 'trama',
      SECURITY_AUTH_JWT_JWKSURL: `${this.tokens.url}/keys`,
    };
  }

  /** Gives back all that a request said, in the body and in headers, as it is and encoded; nothing below `/quiet/`. */
  #echo({ path, body, headers }: Received): Answer {
    if (path.startsWith('/quiet/')) return {};
    const authorization = headers.authorization ?? '';
    const credential = Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString();
    return {
      status: path.includes('/bad') ? 400 : 200,
      body: {
        message: `not for ${authorization}`,
        path,
        decoded: decodeURIComponent(path),
        body,
        headers,
        nested: JSON.stringify({ again: JSON.stringify({ headers, body }) }),
        encoded: encodeURIComponent(encodeURIComponent(decodeURIComponent(path))),
        base64: Buffer.from(String(headers['x-key'] ?? '')).toString('base64'),
        credential,
      },
      headers: {
        'x-echo': authorization,
        'x-echo-key': String(headers['x-key'] ?? ''),
        location: `http://127.0.0.1:1${path}`,
        'set-cookie': `session=${this.setCookie}; HttpOnly`,
      },
    };
  }

  readonly setCookie: string = this.canaries.plant('SetCookie');
}
