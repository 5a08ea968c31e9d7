import type { Socket } from 'node:net';

/** How an answer begins; a digit, a blank and the status follow. */
const version = Buffer.from('HTTP/1.');
const statusAt = 'HTTP/1.x '.length;
const endOfHead = Buffer.from('\r\n\r\n');

/** Longest head of an interim answer that is waited for; what is longer is left to the parser. */
const maxHeadBytes = 16 * 1024;

/**
 * Takes interim answers (100, 102, 103 and so on, not 101) out of what a connection reads: a server may send any number of them before
 * the final answer, also unasked (RFC 9110, 15.2), and undici ends a connection at the first 100.
 *
 * Only the beginning of an answer is looked at, which is what comes first after the head of a request was written: undici writes heads as
 * texts, and has one request at a time on a connection. So no part of a body is ever taken for an interim answer.
 */
export function skipInterimAnswers(socket: Socket): void {
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  const write = socket.write.bind(socket) as (...args: readonly unknown[]) => boolean;
  let isAtStart = false;
  /** What was read and may be the beginning of an interim answer. */
  let held: Buffer | undefined;
  // With its arguments by name: it is called twice for each call that is made.
  socket.write = (chunk: Buffer | string, encoding?: unknown, done?: unknown): boolean => {
    if (typeof chunk === 'string') isAtStart = true;
    return write(chunk, encoding, done);
  };
  socket.read = (size?: number): Buffer | null => {
    let chunk = read(size);
    if (!isAtStart || chunk === null) return chunk;
    if (held !== undefined) chunk = Buffer.concat([held, chunk]);
    held = undefined;
    while (mayBeInterim(chunk)) {
      const end = chunk.indexOf(endOfHead);
      if (end < 0 && chunk.length > maxHeadBytes) break;
      if (end < 0 || chunk.length === end + endOfHead.length) {
        held = end < 0 ? chunk : undefined;
        return null;
      }
      chunk = chunk.subarray(end + endOfHead.length);
    }
    isAtStart = false;
    return chunk;
  };
}

/** Whether bytes begin with an interim answer, or with what may become one. */
function mayBeInterim(bytes: Buffer): boolean {
  // Nearly every answer is told apart by this one byte, the first digit of its status.
  if (bytes.length > statusAt && bytes[statusAt] !== 0x31) return false;
  const shown = Math.min(bytes.length, version.length);
  if (bytes.compare(version, 0, shown, 0, shown) !== 0) return false;
  return bytes.toString('latin1', statusAt, statusAt + 3) !== '101';
}
