/**
 * The downstream of the benchmarks, a process of its own: answers every POST with a little JSON after `--delay` ms and
 * tells its parent what came, in batches. What it does besides depends on the end of the path:
 *
 * - `/3`: the workflow has made its last call. Trama names it in a header of its own, what it is compared with in `Workflow-Id`.
 * - `/arrival`: the call was due at the instant in the header `Bench-Due` (ms since 1970); `Bench-Kind` names it.
 * - `/retry`: an arrival, too. The first attempt is refused; the next one is due `Bench-Delay` ms after that.
 * - `/callback`: accepted, and the URL in the header `Bench-Callback` is called after the delay.
 * - `/visit`, `/undo`: counted.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Pool } from 'undici';
import type { Arrival } from './processes.ts';

const delayMillis = Number(process.argv[2] ?? '0');
const answer = Buffer.from(JSON.stringify({ ok: true, reference: 'c0ffee00-1234', amount: 1299 }));
const headers = { 'content-type': 'application/json', 'content-length': String(answer.length) };

let finished: string[] = [];
let arrivals: Arrival[] = [];
const counts = { visit: 0, undo: 0 };
let isTelling = false;

/** Due instants of second attempts, by execution. */
const retries = new Map<string, number>();
const pools = new Map<string, Pool>();

function tell(): void {
  isTelling = false;
  process.send?.({ finished, arrivals, counts });
  finished = [];
  arrivals = [];
}

function tellSoon(): void {
  if (isTelling) return;
  isTelling = true;
  setImmediate(tell);
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

function header(request: IncomingMessage, name: string): string {
  return String(request.headers[name] ?? '');
}

function arrived(request: IncomingMessage, due: number, at: number): void {
  arrivals.push({ kind: header(request, 'bench-kind'), due, at });
  tellSoon();
}

async function callBack(target: string): Promise<void> {
  const { origin, pathname } = new URL(target);
  let pool = pools.get(origin);
  if (pool === undefined) pools.set(origin, (pool = new Pool(origin, { connections: 64 })));
  const response = await pool.request({
    method: 'POST',
    path: pathname,
    headers: { 'content-type': 'application/json' },
    body: '{"approved":true}',
  });
  await response.body.dump();
}

/** What to do with a call once it is answered; the status of the answer. */
function act(request: IncomingMessage, at: number): { readonly status: number; readonly after?: () => void } {
  const { url = '' } = request;
  const id = header(request, 'trama-execution-id') || header(request, 'workflow-id');
  if (url.endsWith('/arrival')) arrived(request, Number(header(request, 'bench-due')), at);
  if (url.endsWith('/visit')) counts.visit++;
  if (url.endsWith('/undo')) counts.undo++;
  if (url.endsWith('/visit') || url.endsWith('/undo')) tellSoon();
  if (url.endsWith('/retry')) {
    const due = retries.get(id);
    if (due === undefined) {
      return { status: 409, after: () => retries.set(id, now() + Number(header(request, 'bench-delay'))) };
    }
    retries.delete(id);
    arrived(request, due, at);
  }
  if (url.endsWith('/callback')) {
    const after = (): void => {
      setTimeout(() => {
        callBack(header(request, 'bench-callback')).catch((error: unknown) => {
          console.error('A callback failed:', error);
        });
      }, delayMillis);
    };
    return { status: 202, after };
  }
  if (!url.endsWith('/3')) return { status: 200 };
  const after = (): void => {
    finished.push(id);
    tellSoon();
  };
  return { status: 200, after };
}

function respond(response: ServerResponse, { status, after }: ReturnType<typeof act>): void {
  response.writeHead(status, headers);
  response.end(answer, after);
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const action = act(request, now());
  request.resume();
  request.on('end', () => {
    if (delayMillis === 0) respond(response, action);
    else setTimeout(() => respond(response, action), delayMillis);
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});

process.on('disconnect', () => process.exit(0));
