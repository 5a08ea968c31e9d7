import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket, type SecureContext } from 'node:tls';
import type { ProxyEnding as Ending } from './tcp-proxy.ts';

/**
 * When a connection ends: instead of the answer to what the client has just sent, or (`answered`) in the same write as that
 * answer. `text` is a part of a statement.
 */
export type Moment =
  | { readonly at: 'accept' | 'encryption' | 'handshake' | 'startup' | 'password' | 'ready' }
  | { readonly at: 'asked' | 'answered'; readonly text: string };

function message(type: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** A message by which a server ends a session. */
function fatal(code: string, text: string): Buffer {
  return message('E', `SFATAL\0VFATAL\0C${code}\0M${text}\0\0`);
}

const shutdown = fatal('57P01', 'terminating connection due to administrator command');

/** The ways in which connections end, by name. */
export const endings: Readonly<Record<string, Ending>> = {
  '57P01': { bytes: shutdown, close: 'end' },
  '57P01 and silence': { bytes: shutdown, close: 'stay' },
  '57P01 and a reset': { bytes: shutdown, close: 'reset' },
  '57P03': { bytes: fatal('57P03', 'the database system is shutting down'), close: 'end' },
  'a reset': { close: 'reset' },
  'its end': { close: 'end' },
  'half a message': { bytes: shutdown.subarray(0, 20), close: 'end' },
  'another protocol': { bytes: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), close: 'stay' },
  'an unknown message': { bytes: message('?', 'what'), close: 'stay' },
  'an error without its end': { bytes: message('E', 'SFATAL\0Mnever'), close: 'stay' },
  'an unknown authentication': { bytes: message('R', int32(99)), close: 'stay' },
  'a row of no length': { bytes: message('D', Buffer.from([0xff, 0xff])), close: 'stay' },
  'a description that is cut short': { bytes: message('T', Buffer.from([0, 9]), 'name\0'), close: 'stay' },
};

const boolean = 16;
const ready = message('Z', 'I');

/** Answer to a statement: of most the tag alone. */
function answerTo(text: string): Buffer {
  const [verb = ''] = text.trim().split(/\s/, 1);
  const column = /AS (held|readonly)\b/.exec(text)?.[1];
  if (column === undefined) return message('C', `${verb.toUpperCase()}\0`);
  const field = Buffer.alloc(18);
  field.writeInt32BE(boolean, 6);
  return Buffer.concat([
    message('T', Buffer.from([0, 1]), `${column}\0`, field),
    message('D', Buffer.from([0, 1]), int32(1), column === 'held' ? 't' : 'f'),
    message('C', 'SELECT 1\0'),
  ]);
}

/**
 * A server that speaks as much of Postgres' protocol as a client needs to come anywhere, and ends a connection at a chosen
 * moment in a chosen way. What it answers to statements is empty, but for the few of which clients read the answer.
 *
 * Protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export class ScriptedPostgres {
  readonly #server: Server;
  readonly #context: SecureContext | undefined;
  readonly #sockets = new Set<Socket>();
  #moment: Moment | undefined;
  #ending: Ending = { close: 'end' };
  /** How many connections ended by the script. */
  ended = 0;

  private constructor(server: Server, context: SecureContext | undefined) {
    this.#server = server;
    this.#context = context;
    server.on('connection', (socket) => {
      this.#accept(socket);
    });
  }

  /** Listens on a free port; speaks TLS to clients that ask for it when given a context. */
  static async listen(context?: SecureContext): Promise<ScriptedPostgres> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ScriptedPostgres(server, context);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections clients have. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Ends the next connection that comes so far, and only that. */
  endNext(moment: Moment, ending: Ending): void {
    this.#moment = moment;
    this.#ending = ending;
    this.ended = 0;
  }

  /** Does something to every connection that is open: what a server does that stops. */
  endAll(ending: Ending): void {
    for (const socket of this.#sockets) end(socket, socket, ending);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Whether this is the moment; then the connection is over. */
  #isOver(at: Moment['at'], raw: Socket, stream: Socket, text = '', before?: Buffer): boolean {
    const moment = this.#moment;
    if (moment?.at !== at || ('text' in moment && !text.includes(moment.text))) return false;
    this.#moment = undefined;
    this.ended++;
    const { bytes = Buffer.alloc(0), close } = this.#ending;
    end(raw, stream, { bytes: before === undefined ? bytes : Buffer.concat([before, bytes]), close });
    return true;
  }

  #accept(raw: Socket): void {
    this.#sockets.add(raw);
    raw.on('error', () => undefined);
    raw.on('close', () => this.#sockets.delete(raw));
    if (this.#isOver('accept', raw, raw)) {
      raw.resume();
      return;
    }
    raw.once('data', (first: Buffer) => {
      const isRequest = first.length === 8 && first.readInt32BE(4) === 80_877_103;
      if (!isRequest) this.#greet(raw, raw, first);
      else if (!this.#isOver('encryption', raw, raw)) this.#encrypt(raw);
    });
  }

  #encrypt(raw: Socket): void {
    if (this.#context === undefined) {
      raw.write('N');
      raw.once('data', (first: Buffer) => this.#greet(raw, raw, first));
      return;
    }
    if (this.#moment?.at === 'handshake') {
      raw.once('data', () => this.#isOver('handshake', raw, raw));
      raw.write('S');
      return;
    }
    raw.write('S');
    const secure = new TLSSocket(raw, { isServer: true, secureContext: this.#context });
    secure.on('error', () => undefined);
    secure.once('data', (first: Buffer) => this.#greet(raw, secure, first));
  }

  #greet(raw: Socket, stream: Socket, _startup: Buffer): void {
    if (this.#isOver('startup', raw, stream)) return;
    stream.write(message('R', int32(3)));
    stream.once('data', () => {
      if (this.#isOver('password', raw, stream)) return;
      const greeting = Buffer.concat([message('R', int32(0)), message('K', int32(1), int32(2)), ready]);
      if (this.#isOver('ready', raw, stream, '', greeting)) return;
      this.#serve(raw, stream);
      stream.write(greeting);
    });
  }

  #serve(raw: Socket, stream: Socket): void {
    let buffered: Buffer = Buffer.alloc(0);
    let statement = '';
    /** Whether the connection goes on. */
    const reply = (before: Buffer): boolean => {
      if (this.#isOver('asked', raw, stream, statement)) return false;
      const answer = Buffer.concat([before, answerTo(statement), ready]);
      if (this.#isOver('answered', raw, stream, statement, answer)) return false;
      stream.write(answer);
      return true;
    };
    stream.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 5 && buffered.length > buffered.readInt32BE(1)) {
        const body = buffered.subarray(5, buffered.readInt32BE(1) + 1);
        const type = String.fromCharCode(buffered[0] ?? 0);
        buffered = buffered.subarray(body.length + 5);
        if (type === 'P') statement = body.toString('utf8').split('\0')[1] ?? '';
        if (type === 'Q') statement = body.toString('utf8');
        const isAsked = type === 'Q' || type === 'S';
        const before = type === 'S' ? [message('1'), message('2'), message('n')] : [];
        if (isAsked && !reply(Buffer.concat(before))) return;
        if (type === 'X') stream.end();
      }
    });
  }
}

function end(raw: Socket, stream: Socket, { bytes, close }: Ending): void {
  const act = (): void => {
    if (close === 'end') stream.end();
    if (close === 'reset') raw.resetAndDestroy();
  };
  if (bytes === undefined || bytes.length === 0) act();
  else stream.write(bytes, act);
}
