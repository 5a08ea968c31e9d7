const firstSize = 64 * 1024;
/** Longest encoding of a tag, length or number. */
const maxNumberBytes = 10;
const bytesKind = 2;
const fixedKind = 1;

/**
 * Writes the part of the protobuf wire format that OTLP needs. Writes backwards from the end, so that the length of a
 * message is known when its header is written, and bytes are copied only when the buffer grows. Fields come out in the
 * reverse order of the calls.
 */
export class ProtobufWriter {
  #bytes = Buffer.allocUnsafe(firstSize);
  /** Start of the written bytes. */
  #at = firstSize;

  /** Everything written so far; call it once, at the end. */
  finish(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  /** A message with the fields that `write` writes. */
  message(field: number, write: () => void): void {
    const end = this.#written;
    write();
    this.#head(field, this.#written - end);
  }

  text(field: number, text: string): void {
    const length = Buffer.byteLength(text, 'utf8');
    this.#room(length);
    this.#at -= length;
    this.#bytes.write(text, this.#at, length, 'utf8');
    this.#head(field, length);
  }

  /** Bytes given in hexadecimal digits. */
  hex(field: number, digits: string): void {
    const length = digits.length / 2;
    this.#room(length);
    this.#at -= length;
    this.#bytes.write(digits, this.#at, length, 'hex');
    this.#head(field, length);
  }

  /** A non-negative safe integer, an enumeration value or a boolean. */
  integer(field: number, value: number): void {
    this.#varint(value);
    this.#varint(field * 8);
  }

  double(field: number, value: number): void {
    this.#room(8);
    this.#at -= 8;
    this.#bytes.writeDoubleLE(value, this.#at);
    this.#varint(field * 8 + fixedKind);
  }

  /** An unsigned 64-bit integer. */
  fixed64(field: number, value: bigint): void {
    this.#room(8);
    this.#at -= 8;
    this.#bytes.writeBigUInt64LE(value, this.#at);
    this.#varint(field * 8 + fixedKind);
  }

  get #written(): number {
    return this.#bytes.length - this.#at;
  }

  #head(field: number, length: number): void {
    this.#varint(length);
    this.#varint(field * 8 + bytesKind);
  }

  #varint(value: number): void {
    this.#room(maxNumberBytes);
    let size = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
    this.#at -= size;
    const last = this.#at + size - 1;
    let rest = value;
    for (let place = this.#at; place < last; place++) {
      this.#bytes[place] = (rest % 0x80) + 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[last] = rest;
  }

  #room(needed: number): void {
    if (this.#at >= needed) return;
    const written = this.#written;
    const larger = Buffer.allocUnsafe(2 * (this.#bytes.length + needed));
    this.#bytes.copy(larger, larger.length - written, this.#at);
    this.#bytes = larger;
    this.#at = larger.length - written;
  }
}
