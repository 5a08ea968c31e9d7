import type { Socket } from 'node:net';

/**
 * Lets no reset of a connection count as the end of an answer. Of an answer without a length, which ends with its connection, undici takes
 * what has come by then for the whole, so that half a body would pass for one; only an orderly end says that it is whole (RFC 9112, 8).
 * undici knows a reset by its code alone.
 */
export function failResets(socket: Socket): void {
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNRESET') error.code = 'TRAMA_RESET';
  });
}
