/**
 * Checks that what a server sends is made of messages of its protocol, before pg reads them: its parser throws out of a socket's
 * event at what it does not expect, waits without end for a length that makes no sense, and never returns from an error that lacks its
 * end.
 *
 * Protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

/** The type and the length of each message. */
const headBytes = 5;

/** Postgres itself makes no message longer than 1 GiB; nothing that is stored here comes near this. */
const maxMessageBytes = 256 * 1024 * 1024;

const typesOfServer: ReadonlySet<number> = new Set(Buffer.from('RKSZENACDITntsGHWdcVv123'));

/** Errors and notices: a list of texts, each ended by a zero, and a zero after the last. */
const listTypes: ReadonlySet<number> = new Set(Buffer.from('EN'));

/** What came cannot be from a Postgres. */
export class UnreadableAnswer extends Error {
  override readonly name = 'UnreadableAnswer';

  constructor(what: string, options?: ErrorOptions) {
    super(`The server sent what is not Postgres' protocol (${what}).`, options);
  }
}

/** Follows the messages of one connection. */
export class Frames {
  readonly #head: Buffer = Buffer.alloc(headBytes);
  #headLength = 0;
  /** Bytes of the message under way that have not come yet. */
  #left = 0;
  /** The last two bytes of the message under way. */
  #tail = 0;
  #isList = false;

  /** Looks at what came next. Throws {@link UnreadableAnswer}; then nothing of it may be read. */
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
    // A list without a single text is one zero.
    if (this.#left === 0 && this.#isList && this.#tail !== 0) throw new UnreadableAnswer('an error without its end');
    return to;
  }

  #push(byte: number): void {
    this.#tail = ((this.#tail << 8) | byte) & 0xffff;
  }
}
