import type { Socket } from 'node:net';

/** The beginning of an answer; a digit, a blank and the status follow. */
const version = Buffer.from('HTTP/1.');
const statusAt = 'HTTP/1.x '.length;
const endOfHead = Buffer.from('\r\n\r\n');

/** Longest head of an interim answer that is held back; a longer one goes to the parser. */
const maxHeadBytes = 16 * 1024;

/**
 * Removes interim answers (100, 102, 103 and so on, not 101) from the bytes that a connection reads. A server may send
 * any number of them before the final answer, also without a request for them (RFC 9110, 15.2), and undici ends a
 * connection at the first 100.
 *
 * Only the beginning of an answer is examined: the first bytes after the head of a request was written. undici writes
 * heads as strings, and has one request at a time on a connection. So no part of a body can count as an interim answer.
 */
export function skipInterimAnswers(socket: Socket): void {
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  const write = socket.write.bind(socket) as (...args: readonly unknown[]) => boolean;
  let isAtStart = false;
  /** Bytes that may be the beginning of an interim answer. */
  let held: Buffer | undefined;
  // Named arguments instead of rest arguments: it runs twice for each call.
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

/** Whether bytes begin with an interim answer, or with a prefix of one. */
function mayBeInterim(bytes: Buffer): boolean {
  // This byte alone, the first digit of the status, decides for nearly every answer.
  if (bytes.length > statusAt && bytes[statusAt] !== 0x31) return false;
  const shown = Math.min(bytes.length, version.length);
  if (bytes.compare(version, 0, shown, 0, shown) !== 0) return false;
  return bytes.toString('latin1', statusAt, statusAt + 3) !== '101';
}
