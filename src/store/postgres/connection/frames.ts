/** The type and the length of each message. */
const headBytes = 5;

/** Postgres limits messages to 1 GiB; no row of this schema comes near this limit. */
const maxMessageBytes = 256 * 1024 * 1024;

const typesOfServer: ReadonlySet<number> = new Set(Buffer.from('RKSZENACDITntsGHWdcVv123'));

/** Errors and notices: a list of zero-terminated texts with a zero after the last. */
const listTypes: ReadonlySet<number> = new Set(Buffer.from('EN'));

/** The received bytes do not follow the Postgres protocol. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';

  constructor(what: string, options?: ErrorOptions) {
    super(`The server sent what is not Postgres' protocol (${what}).`, options);
  }
}

/**
 * Checks that the bytes of one connection are valid protocol messages before pg parses them. pg's parser throws from a socket
 * event on unexpected bytes, waits forever on an absurd length, and never returns from an unterminated error message.
 *
 * Protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export class Frames {
  readonly #head: Buffer = Buffer.alloc(headBytes);
  #headLength = 0;
  /** Missing bytes of the current message. */
  #left = 0;
  /** The last two bytes of the current message. */
  #tail = 0;
  #isList = false;

  /** Checks the next chunk. Throws {@link UnreadableAnswer}; then the caller must not parse the chunk. */
  check(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) at = this.#left > 0 ? this.#body(chunk, at) : this.#headOf(chunk, at);
  }

  #headOf(chunk: Buffer, from: number): number {
    let at = from;
    while (at < chunk.length && this.#headLength < headBytes) this.#head[this.#headLength++] = chunk[at++] ?? 0;
    const type = this.#head[0] ?? 0;
    if (!typesOfServer.has(type)) throw new UnreadableAnswer(`type ${String(type)}`);
    if (this.#headLength < headBytes) return at;
    const length = this.#head.readUInt32BE(1) - (headBytes - 1);
    if (length < 0 || length > maxMessageBytes) throw new UnreadableAnswer(`length ${String(length)}`);
    this.#headLength = 0;
    this.#left = length;
    this.#tail = 0;
    this.#isList = listTypes.has(type);
    if (length === 0 && this.#isList) throw new UnreadableAnswer('an empty error');
    return at;
  }

  #body(chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + this.#left);
    if (this.#isList) for (let at = Math.max(from, to - 2); at < to; at++) this.#push(chunk[at] ?? 0);
    this.#left -= to - from;
    // An empty list is a single zero.
    if (this.#left === 0 && this.#isList && this.#tail !== 0) throw new UnreadableAnswer('an error without its end');
    return to;
  }

  #push(byte: number): void {
    this.#tail = ((this.#tail << 8) | byte) & 0xffff;
  }
}
