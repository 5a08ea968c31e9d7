import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePorts } from './free-ports.ts';
import { asServerUser, type PostgresServer } from './postgres.ts';
import { programPath } from './provision.ts';

/** How PgBouncer gives sessions of the server to clients (its documentation, `pool_mode`). */
export type PoolMode = 'session' | 'transaction' | 'statement';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * A real PgBouncer between a test and its Postgres, on a free port of the loopback interface.
 *
 * Everything but the pool mode is as PgBouncer has it by default.
 */
export class PgBouncer {
  readonly port: number;
  readonly #directory: string;
  readonly #child: ChildProcess;

  private constructor(port: number, directory: string, child: ChildProcess) {
    this.port = port;
    this.#directory = directory;
    this.#child = child;
  }

  /** Resolves when it accepts connections. `more` are further lines of its configuration. */
  static async start(postgres: PostgresServer, mode: PoolMode, more: readonly string[] = []): Promise<PgBouncer> {
    const [port = 0] = await freePorts(1);
    const directory = await mkdtemp(join(tmpdir(), 'trama-pgbouncer-'));
    const file = join(directory, 'pgbouncer.ini');
    const lines = [
      '[databases]',
      `* = host=127.0.0.1 port=${String(postgres.port)} user=trama`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${String(port)}`,
      'unix_socket_dir =',
      'auth_type = any',
      `pool_mode = ${mode}`,
      ...more,
    ];
    await writeFile(file, `${lines.join('\n')}\n`);
    // Another user reads it.
    await Promise.all([chmod(directory, 0o755), chmod(file, 0o644)]);
    const [program, args] = asServerUser(programPath('pgbouncer'), [file]);
    const child = spawn(program, args, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-4000);
    });
    running.add(child);
    child.on('exit', () => running.delete(child));
    while (!(await accepts(port))) {
      if (child.exitCode !== null) throw new Error(`PgBouncer did not start: ${log}`);
      await pause(20);
    }
    return new PgBouncer(port, directory, child);
  }

  async close(): Promise<void> {
    // The program that runs it as another user hands this on.
    this.#child.kill('SIGTERM');
    if (this.#child.exitCode === null) await new Promise((resolve) => this.#child.once('exit', resolve));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => {
      resolve(false);
    });
  });
}
