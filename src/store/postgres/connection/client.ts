import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { Client, type ClientConfig } from 'pg';
import { Frames, UnreadableAnswer } from './frames.ts';
import type { ChannelBinding } from './url.ts';

/** What pg says of a server that has no TLS; nothing else tells. */
export const noTlsMessage = 'The server does not support SSL connections';

/** Options of pg, and how the password is tied to the TLS connection: default `disable`. */
export interface SteadyClientConfig extends ClientConfig {
  readonly channelBinding?: ChannelBinding;
}

/** What pg has of a connection, beyond what its types tell. */
interface Wire extends EventEmitter {
  stream: Duplex;
  /** Reads messages of a stream from now on. Called once, with the encrypted one where there is encryption. */
  attachListeners: (stream: Pick<EventEmitter, 'on'>) => void;
}

/**
 * A client of pg that never ends the process: it listens to its own errors from its birth to its end, so that no moment is left
 * between one listener and the next. pg-pool takes its listener away before it hands a client over, and a server that stops may say so
 * in the same read in which it says that it is ready.
 *
 * An error that no statement waits for means that the connection is of no use any more: it is cut at once, also where the server
 * leaves it open, and {@link SteadyClient.brokenBy} says why. What pg's parser throws ends the connection alone.
 */
export class SteadyClient extends Client {
  #brokenBy: Error | undefined;

  constructor(config: SteadyClientConfig = {}) {
    const { channelBinding = 'disable', ssl = false } = config;
    super(config);
    // Not among the options, of which a copy would lack the password: pg-pool hides it.
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
    // Before it is ready a server has nothing to say afterwards, and pg would leave the socket to it.
    wire.on('errorMessage', (error: Error) => {
      if (!isConnected) cut(error);
    });
    if (channelBinding === 'require') demandBinding(wire, cut);
    checkMessages(wire);
  }

  /** The first error that was not the answer to a statement; the connection is over then. */
  get brokenBy(): Error | undefined {
    return this.#brokenBy;
  }
}

/**
 * Cuts a connection before a password leaves that is not bound to its TLS connection, and one to a server that asks for none. These
 * listeners come before those of pg, which would answer.
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
