import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';

/** The inner parts of a client that this file uses. */
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

/** The prototype of the class that a module consists of; throws when it lacks the methods known here. */
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
 * Patches ioredis for every client of this process, also those that it creates itself: nothing that a server sends, and
 * no end of a connection, may end the process.
 *
 * - ioredis listens only to the first error of a socket. A TLS socket may emit two: its own about the server's
 *   certificate, and the server's alert about a client that hung up during the handshake (`tlsv1 alert decode error`).
 * - ioredis calls `toString` on an answer to no command; `nil` has none, and the TypeError ends the process. It also
 *   keeps that connection, where it would take the next surplus answer for the answer of another command. The patch
 *   cuts such a connection.
 * - ioredis asks a node for a migrating slot (`ASKING`) and handles no rejection of that promise: a node that does not
 *   answer causes an unhandled rejection. The command that follows fails for the same reason, and its caller learns of
 *   it.
 *
 * All three patch the prototypes: a cluster client creates its nodes, and duplicates them, itself.
 *
 * Call it once, before the first client is created.
 */
export function mendClients(): void {
  mendSockets();
  mendAnswers();
  mendAsking();
}
