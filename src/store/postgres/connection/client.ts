import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { Client, type ClientConfig } from 'pg';
import { Frames, UnreadableAnswer } from './frames.ts';
import type { ChannelBinding } from './url.ts';

/** pg's error message for a server without TLS; pg has no error code for it. */
export const noTlsMessage = 'The server does not support SSL connections';

/** Options of pg, and the channel binding of the password to the TLS connection; default `disable`. */
export interface SteadyClientConfig extends ClientConfig {
  readonly channelBinding?: ChannelBinding;
}

/** Members of pg's connection that its types omit. */
interface Wire extends EventEmitter {
  stream: Duplex;
  /** Starts reading messages from a stream. pg calls it once, with the encrypted stream if there is TLS. */
  attachListeners: (stream: Pick<EventEmitter, 'on'>) => void;
}

/**
 * A client of pg whose errors never crash the process: it listens to its own errors for its whole life. pg-pool removes its
 * listener before it hands out a client, and a stopping server may report that in the same read in which it reports that it
 * is ready.
 *
 * An error outside of a statement makes the connection unusable: the client closes it at once, even if the server leaves it
 * open, and {@link SteadyClient.brokenBy} has the error. An exception in pg's parser ends only the connection.
 */
export class SteadyClient extends Client {
  #brokenBy: Error | undefined;

  constructor(config: SteadyClientConfig = {}) {
    const { channelBinding = 'disable', ssl = false } = config;
    super(config);
    // Set here because a copy of the options would lack the password, which pg-pool makes non-enumerable.
    (this as unknown as { enableChannelBinding: boolean }).enableChannelBinding =
      channelBinding !== 'disable' && ssl !== false;
    const wire = (this as unknown as { readonly connection: Wire }).connection;
    let isConnected = false;
    const cut = (error: Error): void => {
      this.#brokenBy ??= error;
      wire.stream.destroy(error);
    };
    this.once('connect', () => {
      isConnected = true;
    });
    this.on('error', cut);
    wire.on('error', cut);
    // An error before the server is ready is final, but pg would leave the socket open.
    wire.on('errorMessage', (error: Error) => {
      if (!isConnected) cut(error);
    });
    if (channelBinding === 'require') demandBinding(wire, cut);
    checkMessages(wire);
  }

  /** The first error outside of a statement; the connection is then unusable. */
  get brokenBy(): Error | undefined {
    return this.#brokenBy;
  }
}

/**
 * Closes a connection before it sends a password that is not bound to the TLS connection, or if the server requests no
 * password. These listeners run before pg's, which would reply.
 */
function demandBinding(wire: Wire, cut: (error: Error) => void): void {
  let isBound = false;
  const refuse = (): void => {
    cut(new Error('channel_binding=require: the server does not offer SCRAM-SHA-256-PLUS over TLS'));
  };
  wire.on('authenticationCleartextPassword', refuse);
  wire.on('authenticationMD5Password', refuse);
  wire.on('authenticationSASL', ({ mechanisms }: { readonly mechanisms: readonly string[] }) => {
    isBound = mechanisms.includes('SCRAM-SHA-256-PLUS') && wire.stream instanceof TLSSocket;
    if (!isBound) refuse();
  });
  wire.once('readyForQuery', () => {
    if (!isBound) refuse();
  });
}

function checkMessages(wire: Wire): void {
  const attach = wire.attachListeners.bind(wire);
  wire.attachListeners = (stream) => {
    const checked = new EventEmitter();
    const frames = new Frames();
    attach(checked);
    stream.on('data', (chunk: Buffer) => {
      try {
        frames.check(chunk);
        checked.emit('data', chunk);
      } catch (error) {
        const cause = error as Error;
        wire.stream.destroy(error instanceof UnreadableAnswer ? error : new UnreadableAnswer(cause.message, { cause }));
      }
    });
    stream.on('end', () => checked.emit('end'));
  };
}
