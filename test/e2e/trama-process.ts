/** Starts the command line as a process of its own, and a downstream for it to call. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/**
 * What starts the command line: the compiled program under `npm test`, which has just built it, and otherwise the sources. The
 * start of a compiled server takes a quarter less of a processor, and tests start hundreds of them.
 */
export const main: string = join(
  import.meta.dirname,
  '../..',
  process.env['TRAMA_TEST_BUILT'] === 'true' ? 'dist/cli/main.js' : 'src/cli/main.ts',
);

/** Lets a process share what this one and others have compiled; see `vitest.config.ts`. */
export function compileCache(): Readonly<Record<string, string | undefined>> {
  return { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] };
}

/** What a process said and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly notes: string;
}

/** A process under way. */
export interface TramaProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** The first match in standard output, as soon as it is there; rejects when the process ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** Whether this is in standard output by now. */
  hasSaid(text: string): boolean;
}

/**
 * Starts `trama` with these arguments. Variables of the surrounding process that would configure it are left out.
 * `maxFileBlocks`: no file may grow beyond so many blocks (of 512 bytes, or 1024 in some shells), as on a disk that is full.
 */
export function startTrama(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  maxFileBlocks?: number,
): TramaProcess {
  const command = [process.execPath, main, ...args];
  const limited = ['sh', '-c', `ulimit -f ${maxFileBlocks ?? 'unlimited'}; exec "$0" "$@"`, ...command];
  const [file = '', ...rest] = maxFileBlocks === undefined ? command : limited;
  const child = spawn(file, rest, {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      TMPDIR: process.env['TMPDIR'],
      ...compileCache(),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let notes = '';
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    for (const look of waiting) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (notes += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, out, notes });
    });
  });
  return {
    child,
    ended,
    hasSaid: (text) => out.includes(text),
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(out);
          if (match === null) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        look();
        void ended.then(({ code }) => {
          reject(new Error(`exit code ${code} before ${pattern.source}\n${out}\n${notes}`));
        });
      }),
  };
}

/** Runs `trama` to its end. */
export function trama(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return startTrama(args, env).ended;
}

/** Starts a server and answers its URL once it is ready. */
export async function startServer(
  dataDir: string,
  args: readonly string[] = [],
): Promise<TramaProcess & { readonly url: string }> {
  const server = startTrama(['serve', '--port', '0', '--data-dir', dataDir, ...args]);
  const [, url = ''] = await server.said(/"url":"([^"]+)".*"msg":"ready"/);
  return { ...server, url };
}

/** A request that the downstream got. */
export interface Received {
  readonly path: string;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

/** A downstream whose answers the test decides. */
export interface Downstream {
  readonly url: string;
  readonly received: readonly Received[];
  close(): Promise<void>;
}

/** Starts a downstream on a free port. `answer` is called once the whole request is there. */
export async function startDownstream(
  answer: (request: Received, response: ServerResponse) => void,
): Promise<Downstream> {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const got = { path: request.url ?? '', body, headers: request.headers };
      received.push(got);
      response.setHeader('content-type', 'application/json');
      answer(got, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
