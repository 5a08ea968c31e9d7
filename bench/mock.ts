/**
 * The downstream of the benchmarks, a process of its own: answers every POST with a little JSON after `--delay` ms and
 * tells its parent which workflows have made their last call (`/3`), in batches.
 */
import { createServer } from 'node:http';

const delayMillis = Number(process.argv[2] ?? '0');
const answer = Buffer.from(JSON.stringify({ ok: true, reference: 'c0ffee00-1234', amount: 1299 }));
const headers = { 'content-type': 'application/json', 'content-length': String(answer.length) };

let finished: string[] = [];
let calls = 0;

function tell(): void {
  if (finished.length === 0) return;
  process.send?.({ finished, calls });
  finished = [];
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const respond = (): void => {
    calls++;
    response.writeHead(200, headers);
    response.end(answer, () => {
      if (request.url?.endsWith('/3') !== true) return;
      finished.push(String(request.headers['trama-execution-id'] ?? ''));
      if (finished.length === 1) setImmediate(tell);
    });
  };
  request.resume();
  request.on('end', () => {
    if (delayMillis === 0) respond();
    else setTimeout(respond, delayMillis);
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});

process.on('disconnect', () => process.exit(0));
