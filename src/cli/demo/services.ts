import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { localGuard, mayBeCalledBack } from '../server/local-services.ts';
import { isJsonObject, ownProperty, parseJson, stringifyJson, type Json } from '../../core/value/json.ts';

const slowMillis = 500;
const decisionMillis = 150;
const busyCalls = 2;

/** Bound of the keys whose calls are counted; the oldest goes first. */
const maxKeys = 1000;

/** Bound of request bodies in bytes; real requests are far smaller. */
const maxBodyBytes = 1024 * 1024;

/**
 * The sample services of the demo, on one HTTP server: `PUT /<service>/<id>` makes an effect under that id, `DELETE`
 * undoes it, `GET /` lists standing effects. Any service name works, so that people can try their own sagas, too. Some
 * bodies cause trouble:
 *
 * - `"item": "popular"`: busy (503) at the first two calls with one key
 * - `"card": "no answer"`: the payment is made, but the answer never comes
 * - `"card": "cut"`: the payment is made, and the connection is cut
 * - `"address": "nowhere"`: refused (422)
 * - hotels are slow
 * - with `answerTo`, a URL on this machine: accepted (202); the service posts the answer to it a little later, unless
 *   the approver is "nobody"
 *
 * They answer direct requests to this machine only, like a server without authentication.
 */
export class SampleServices {
  readonly #server: Server;
  readonly #guard = localGuard();
  /** Standing effects, as `payments/A-1`, in their order. */
  readonly #standing = new Map<string, Json>();
  readonly #callsByKey = new Map<string, number>();
  /** Ends everything that waits. */
  readonly #closing = new AbortController();

  constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        // The caller has gone away, or sends a body that no service understands.
        if (!response.headersSent && !response.destroyed) answer(response, 400, { error: String(error) });
      });
    });
  }

  /** Listens on 127.0.0.1; 0 takes a free port. Returns the URL. Rejects when the port is taken. */
  listen(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        resolve(`http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`);
      });
    });
  }

  /** Standing effects under this id, as `payments/A-1`, oldest first. */
  standing(id: string): readonly string[] {
    return [...this.#standing.keys()].filter((name) => name.endsWith(`/${id}`));
  }

  /** Stops at once. */
  close(): Promise<void> {
    this.#closing.abort();
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = this.#guard.refusalOf(request);
    if (refusal !== undefined) {
      // The body is not read.
      answer(response.setHeader('connection', 'close'), 403, { error: refusal.sentence });
      return;
    }
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    if (request.method === 'GET' && path === '/') {
      answer(response, 200, Object.fromEntries(this.#standing));
      return;
    }
    const [, service = '', id = ''] = /^\/([\w-]+)\/([\w.-]+)$/.exec(path) ?? [];
    const body = await readJson(request);
    if (service === '')
      answer(response, 404, { error: 'The sample services know PUT, POST and DELETE /<service>/<id>.' });
    else if (request.method === 'DELETE') this.#undo(`${service}/${id}`, response);
    else if (request.method === 'PUT' || request.method === 'POST')
      await this.#do(service, id, body, String(request.headers['idempotency-key'] ?? ''), response);
    else answer(response, 405, { error: `${request.method ?? ''} is not known here.` });
  }

  #undo(name: string, response: ServerResponse): void {
    if (this.#standing.delete(name)) answer(response, 200, { undone: name });
    else answer(response, 404, { error: `There is no ${name}.` });
  }

  async #do(service: string, id: string, body: Json, key: string, response: ServerResponse): Promise<void> {
    const said = (name: string): Json | undefined => (isJsonObject(body) ? ownProperty(body, name) : undefined);
    if (said('item') === 'popular' && this.#count(key) <= busyCalls) {
      answer(response, 503, { error: 'Busy; try again.' });
      return;
    }
    if (said('address') === 'nowhere') {
      answer(response, 422, { error: 'There is no such address.' });
      return;
    }
    const answerTo = said('answerTo');
    if (typeof answerTo === 'string' && !mayBeCalledBack(answerTo)) {
      answer(response, 422, { error: 'The sample services answer to URLs on this machine only.' });
      return;
    }
    if (service === 'hotels') await delay(slowMillis, undefined, { signal: this.#closing.signal });
    // The same id names the same effect, which is why sagas choose the ids.
    this.#standing.set(`${service}/${id}`, body);
    if (said('card') === 'no answer') return;
    if (said('card') === 'cut') {
      response.destroy();
      return;
    }
    if (typeof answerTo !== 'string') {
      answer(response, 200, { id: `${service}/${id}` });
      return;
    }
    answer(response, 202, { id: `${service}/${id}` });
    const approver = said('approver');
    if (approver !== 'nobody') await this.#decide(answerTo, { approved: true, by: approver ?? null });
  }

  /** The number of calls with this key, this one included. */
  #count(key: string): number {
    const count = (this.#callsByKey.get(key) ?? 0) + 1;
    this.#callsByKey.delete(key);
    this.#callsByKey.set(key, count);
    const [oldest] = this.#callsByKey.keys();
    if (this.#callsByKey.size > maxKeys && oldest !== undefined) this.#callsByKey.delete(oldest);
    return count;
  }

  async #decide(url: string, decision: Json): Promise<void> {
    const { signal } = this.#closing;
    await delay(decisionMillis, undefined, { signal });
    const headers = { 'content-type': 'application/json' };
    const answered = await fetch(url, {
      method: 'POST',
      headers,
      body: stringifyJson(decision),
      redirect: 'manual',
      signal,
    });
    await answered.body?.cancel();
  }
}

function answer(response: ServerResponse, status: number, body: Json): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${stringifyJson(body)}\n`);
}

async function readJson(request: IncomingMessage): Promise<Json> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk;
    if (text.length > maxBodyBytes) throw new Error('The body is too large.');
  }
  return text === '' ? null : parseJson(text);
}
