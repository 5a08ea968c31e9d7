/**
 * Real Redis servers for tests, each a process of its own on a free port of the loopback interface, with its data in a
 * directory that is removed at the end.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis, type RedisOptions } from 'ioredis';
import { freePorts } from './free-ports.ts';
import { programPath } from './provision.ts';

/** What a server is started with: lines of redis.conf, and how clients of the test reach it. */
export interface RedisServerOptions {
  readonly port?: number;
  /** Name and value of directives. */
  readonly directives?: Readonly<Record<string, string>>;
  /** For the test's own client, where the server wants TLS or a password. */
  readonly client?: Pick<RedisOptions, 'tls' | 'password' | 'username'>;
}

/** Servers that run now: they must not outlive this process, however it ends. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One server. */
export class RedisServer {
  readonly port: number;
  readonly #directory: string;
  readonly #options: RedisServerOptions;
  #child: ChildProcess | undefined;
  #admin: Redis | undefined;

  private constructor(port: number, directory: string, options: RedisServerOptions) {
    this.port = port;
    this.#directory = directory;
    this.#options = options;
  }

  /** Starts a server; resolves when it accepts connections. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const [port] = options.port === undefined ? await freePorts(1) : [options.port];
    const server = new RedisServer(port!, await mkdtemp(join(tmpdir(), 'trama-redis-')), options);
    await server.run();
    return server;
  }

  /** The test's own connection, made when it is first asked for. */
  get admin(): Redis {
    if (this.#admin === undefined) {
      this.#admin = new Redis({ host: '127.0.0.1', port: this.port, ...this.#options.client });
      // Lost connections are part of the tests; what they break is refused to its caller.
      this.#admin.on('error', () => undefined);
    }
    return this.#admin;
  }

  /** Whether its process exists, paused or not. */
  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Starts the process again after {@link RedisServer.kill} or {@link RedisServer.shutdown}, with the data that are on disk. */
  async run(): Promise<void> {
    const directives = {
      port: String(this.port),
      bind: '127.0.0.1',
      dir: this.#directory,
      save: '',
      appendonly: 'no',
      ...this.#options.directives,
    };
    const args = Object.entries(directives).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn(programPath('redis-server'), args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    const lines = createInterface({ input: child.stdout });
    const last: string[] = [];
    for await (const line of lines) {
      if (line.includes('Ready to accept connections')) {
        child.stdout.resume();
        return;
      }
      last.push(line);
    }
    throw new Error(`redis-server did not start: ${last.slice(-5).join(' | ')}`);
  }

  /** Ends the process at once, as a crash does. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends the process in order. */
  async shutdown(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Stops the process in its tracks: it keeps its connections and answers nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** Lets it go on. */
  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends the process and removes its data. A second call does nothing. */
  async close(): Promise<void> {
    this.#admin?.disconnect();
    await this.#end('SIGKILL');
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}
