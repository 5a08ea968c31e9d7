import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { programPath } from './provision.ts';

const run = promisify(execFile);

const settings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '32MB',
  max_connections: '60',
  autovacuum_naptime: '10s',
};

const signals = { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const;

/** The program and arguments that run `program` as a user that Postgres and PgBouncer accept: not as root. */
export function asServerUser(program: string, args: readonly string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [program, [...args]];
  return ['runuser', ['-u', 'postgres', '--', program, ...args]];
}

async function serverUserId(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, 'postgres'])));
  return { uid: Number(uid?.stdout), gid: Number(gid?.stdout) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** The fields of a process after its name, which may hold anything; none when it has ended meanwhile. */
function statOf(pid: string): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

function sum(fields: readonly string[]): number {
  return fields.reduce((total, field) => total + Number(field), 0);
}

/**
 * A real Postgres of its own for tests: fresh data directory, free port on loopback, commits that wait for the disk, small
 * buffers. As root it runs as the user `postgres`, which the server demands; else as the user that runs the tests.
 *
 * Everything started here is ended by its own process id, at the latest by {@link PostgresServer.remove}.
 */
export class PostgresServer {
  readonly port: number;
  readonly #directory: string;
  #databases = 0;
  #running = false;
  /** What was spawned: the server, or the program that runs it as another user. */
  #launcher: number | undefined;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  /** Makes a cluster and starts its server, with further settings. */
  static async create(more: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
    const directory = await mkdtemp(join(tmpdir(), 'trama-postgres-'));
    const owner = await serverUserId();
    if (owner !== undefined) await chown(directory, owner.uid, owner.gid);
    const data = join(directory, 'data');
    const args = ['-D', data, '-U', 'trama', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
    const [program, all] = asServerUser(programPath('initdb'), args);
    await run(program, all, { cwd: directory });
    const server = new PostgresServer(directory, await freePort());
    await server.start(more);
    return server;
  }

  /** Whether it was started and not ended since. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** The URL of a database, by default through the server's own port. */
  url(database = 'postgres', port: number = this.port): string {
    return `postgres://trama@127.0.0.1:${port}/${database}`;
  }

  /** Starts the server with further settings and waits until it answers. */
  async start(more: Readonly<Record<string, string>> = {}): Promise<void> {
    const flags = Object.entries({ ...settings, ...more }).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
    const data = join(this.#directory, 'data');
    const args = ['-D', data, '-p', String(this.port), '-k', this.#directory, ...flags];
    // A test process that ends by an error must not leave its server behind.
    process.once('exit', this.#endNow);
    for (;;) {
      const failure = await this.#launch(args);
      if (failure === undefined) break;
      // After a SIGKILL of the first process the others need a moment to notice.
      if (!failure.includes('shared memory block')) throw new Error(`Postgres did not start: ${failure}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    this.#running = true;
  }

  /** Undefined once the server answers, else its log when it has ended. */
  async #launch(args: readonly string[]): Promise<string | undefined> {
    const [program, all] = asServerUser(programPath('postgres'), args);
    const child = spawn(program, all, { cwd: this.#directory, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#launcher = child.pid;
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-4000);
    });
    const ended = new Promise<string>((resolve) => {
      child.on('close', () => {
        if (this.#launcher === child.pid) this.#launcher = undefined;
        resolve(log);
      });
    });
    const stop = new AbortController();
    const answers = async (): Promise<undefined> => {
      while (!stop.signal.aborted && !(await this.#answers())) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const outcome = await Promise.race([ended, answers()]);
    stop.abort();
    return outcome;
  }

  async #answers(): Promise<boolean> {
    const client = new Client({ connectionString: this.url(), connectionTimeoutMillis: 1000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return true;
    } catch {
      return false;
    } finally {
      await client.end();
    }
  }

  /** The folder of its Unix socket. */
  get socketFolder(): string {
    return this.#directory;
  }

  /** The process id of the server's first process, from its own lock file. */
  pid(): number {
    return Number(readFileSync(join(this.#directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** Processor time of all its processes so far, ended ones included, in microseconds. Linux only. */
  cpuMicros(): number {
    const pid = this.pid();
    let ticks = 0;
    for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      const fields = statOf(name);
      if (Number(name) === pid) ticks += sum(fields.slice(11, 15));
      else if (Number(fields[1]) === pid) ticks += sum(fields.slice(11, 13));
    }
    return ticks * 10_000;
  }

  readonly #endNow = (): void => {
    if (this.#running) process.kill(this.pid(), signals.immediate);
    // It may not have come so far that its process id is written down.
    else if (this.#launcher !== undefined) process.kill(this.#launcher, 'SIGTERM');
  };

  /** Ends it: `fast` ends sessions and writes everything out, `immediate` as after a crash, `kill` is SIGKILL. */
  async stop(mode: 'fast' | 'immediate' | 'kill' = 'fast'): Promise<void> {
    if (!this.#running) return;
    const pid = this.pid();
    this.#running = false;
    process.off('exit', this.#endNow);
    process.kill(pid, signals[mode]);
    for (;;) {
      try {
        process.kill(pid, 0);
      } catch {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Stops all its processes where they are (SIGSTOP), or lets them go on (SIGCONT). */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const pid = this.pid();
    for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      if (Number(name) === pid || Number(statOf(name)[1]) === pid) process.kill(Number(name), signal);
    }
    // It stops itself with its child, and would not notice the child's end any more.
    if (signal === 'SIGCONT' && this.#launcher !== undefined) process.kill(this.#launcher, signal);
  }

  /** Ends it and starts it again. */
  async restart(
    mode: 'fast' | 'immediate' | 'kill' = 'fast',
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.stop(mode);
    await this.start(more);
  }

  /** Ends it and starts it again as a standby, which is in recovery and answers reads only, or as a primary. */
  async restartAs(role: 'standby' | 'primary'): Promise<void> {
    await this.stop();
    const file = join(this.#directory, 'data', 'standby.signal');
    if (role === 'primary') await rm(file, { force: true });
    else await writeFile(file, '');
    await this.start();
  }

  /** Writes files into its data directory that only the server may read, as it demands of keys. */
  async putFiles(files: Readonly<Record<string, string>>): Promise<void> {
    const owner = await serverUserId();
    for (const [name, text] of Object.entries(files)) {
      const file = join(this.#directory, 'data', name);
      await writeFile(file, text, { mode: 0o600 });
      if (owner !== undefined) await chown(file, owner.uid, owner.gid);
    }
  }

  /** A new, empty database; its name. */
  async createDatabase(): Promise<string> {
    const name = `test_${++this.#databases}`;
    await this.query(`CREATE DATABASE ${name}`);
    return name;
  }

  /** Runs statements one after the other on a connection of their own; the rows of the last. */
  async query(sql: string | readonly string[], database?: string): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: this.url(database) });
    client.on('error', () => undefined);
    await client.connect();
    try {
      let rows: Record<string, unknown>[] = [];
      for (const each of typeof sql === 'string' ? [sql] : sql)
        ({ rows } = await client.query<Record<string, unknown>>(each));
      return rows;
    } finally {
      await client.end();
    }
  }

  /** Stops it and removes its data. A second call does nothing. */
  async remove(): Promise<void> {
    await this.stop('immediate');
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
