import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';

/** What is used here of a client's inner parts. */
interface Handler {
  readonly redis: {
    readonly stream: { destroy(error: Error): void };
    readonly commandQueue: { shift(): object | undefined };
  };
}

interface HandlerParts {
  shiftCommand(this: Handler, answer: unknown): object | null;
  dispatch(this: Handler, handle: () => void): void;
}

interface ConnectorParts {
  connect: (this: ConnectorParts, ...values: unknown[]) => Promise<EventEmitter>;
}

interface AskingParts {
  asking: (this: AskingParts, ...values: unknown[]) => Promise<unknown>;
}

const load = createRequire(import.meta.url);

/** The prototype of a class that is the whole of a module; throws when it has not the methods that are known here. */
function prototypeOf<T>(module: string, ...methods: readonly (keyof T)[]): T {
  const { default: found } = load(`ioredis/built/${module}.js`) as { default: { prototype: T } };
  for (const method of methods) {
    if (typeof found.prototype[method] !== 'function') {
      throw new Error(`This version of ioredis has no ${String(method)} in ${module}, which is mended here.`);
    }
  }
  return found.prototype;
}

function mendSockets(): void {
  const prototype = prototypeOf<ConnectorParts>('connectors/StandaloneConnector', 'connect');
  const { connect } = prototype;
  prototype.connect = async function connectHeard(...values) {
    const socket = await connect.apply(this, values);
    socket.on('error', () => undefined);
    return socket;
  };
}

function mendAnswers(): void {
  const prototype = prototypeOf<HandlerParts>('DataHandler', 'shiftCommand', 'dispatch');
  prototype.shiftCommand = function shiftCommand() {
    const item = this.redis.commandQueue.shift();
    if (item !== undefined) return item;
    this.redis.stream.destroy(new Error('Redis sent an answer to no command.'));
    return null;
  };
  prototype.dispatch = function dispatch(handle) {
    try {
      handle();
    } catch (error) {
      this.redis.stream.destroy(new Error('Redis sent an answer that cannot be read.', { cause: error }));
    }
  };
}

function mendAsking(): void {
  const prototype = Redis.prototype as unknown as AskingParts;
  const { asking } = prototype;
  prototype.asking = function askingHandled(...values) {
    const answer = asking.apply(this, values);
    answer.catch(() => undefined);
    return answer;
  };
}

/**
 * Mends ioredis, for every client of this process, also those that it makes by itself: what a server sends, and how a connection
 * ends, must never end the process.
 *
 * - ioredis listens to the first error of a socket alone. A TLS socket may emit two: its own about the server's certificate, and the
 *   server's alert about a client that hung up during the handshake (`tlsv1 alert decode error`).
 * - ioredis calls `toString` on an answer to no command; `nil` has none, and the TypeError ends the process. It also goes on with that
 *   connection, where it would take the next surplus answer for the answer of another command. Such a connection is cut here.
 * - ioredis asks a node for a migrating slot (`ASKING`) and handles no rejection of that promise: a node that does not answer is an
 *   unhandled rejection. The command that follows fails for the same reason, and its caller hears of it.
 *
 * All have to be done at the prototypes: a cluster client makes its nodes, and duplicates them, itself.
 *
 * To be called once, before the first client is made.
 */
export function mendClients(): void {
  mendSockets();
  mendAnswers();
  mendAsking();
}
