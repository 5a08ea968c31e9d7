import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';

/** The internal parts of an ioredis client that this file uses. */
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

/** The prototype of the class that a module exports; throws if it lacks one of the methods. */
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
 * Patches all ioredis clients of this process, including those that ioredis itself creates, so that neither a reply nor
 * the end of a connection can crash the process:
 *
 * - ioredis listens only to the first error of a socket. A TLS socket may emit two: its own about the server's
 *   certificate, and the server's alert about a client that hung up during the handshake (`tlsv1 alert decode error`).
 * - ioredis calls `toString` on a reply that belongs to no command. For `nil` this throws a TypeError, which crashes
 *   the process. ioredis also keeps that connection and would match the next surplus reply with another command. The
 *   patch cuts such a connection.
 * - ioredis sends `ASKING` for a migrating slot and ignores a rejection, so a node that does not answer causes an
 *   unhandled rejection. The command that follows fails for the same reason, and its caller receives the error.
 *
 * The patches apply to the prototypes, because a cluster client creates and duplicates its nodes by itself.
 *
 * Call it once, before the first client is created.
 */
export function mendClients(): void {
  mendSockets();
  mendAnswers();
  mendAsking();
}
