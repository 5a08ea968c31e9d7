import type { Socket } from 'node:net';

/**
 * Prevents a connection reset from counting as the end of an answer. An answer without a length ends with its
 * connection; undici takes what has come before a reset for the whole, so half a body would pass for a complete one.
 * Only an orderly end completes it (RFC 9112, 8). undici recognises a reset by its code alone.
 */
export function failResets(socket: Socket): void {
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNRESET') error.code = 'TRAMA_RESET';
  });
}
