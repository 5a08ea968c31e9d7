/**
 * What an application puts before a library that has no HTTP API of its own: `POST /run` is answered with the workflow's id
 * once it is durable, `POST /wait` with its status at its end. Bare `node:http`, the cheapest there is.
 */
import { createServer } from 'node:http';

/**
 * Serves and tells the parent process the port.
 *
 * @param {(payload: any) => Promise<{ id: string, end: () => Promise<unknown> }>} start starts a workflow durably
 */
export function serve(start) {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const answer = async (text) => {
      const { id, end } = await start(JSON.parse(text).payload);
      if (request.url?.startsWith('/wait')) await end();
      return { id, status: 'SUCCEEDED' };
    };
    let text = '';
    request.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    request.on('end', () => {
      answer(text).then(
        (body) => {
          const bytes = Buffer.from(JSON.stringify(body));
          response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(bytes.length) });
          response.end(bytes);
        },
        (/** @type {unknown} */ error) => {
          response.writeHead(500).end(String(error));
        },
      );
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.({ port: server.address().port }));
  process.on('disconnect', () => process.exit(0));
}
