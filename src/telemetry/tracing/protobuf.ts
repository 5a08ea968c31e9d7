/** The part of the protobuf wire format that OTLP needs. */

/** One field, encoded. */
export type Field = Buffer;

const maxTagged = 0x7f;

/** A non-negative safe integer. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > maxTagged) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

/** Bytes, or a message made of fields. */
export function bytes(field: number, ...parts: readonly Buffer[]): Field {
  let length = 0;
  for (const part of parts) length += part.length;
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(length)]), ...parts]);
}

/** A text. */
export function string(field: number, text: string): Field {
  return bytes(field, Buffer.from(text, 'utf8'));
}

/** A non-negative integer, enumeration or boolean. */
export function integer(field: number, value: number): Field {
  return Buffer.from([...varint(field * 8), ...varint(value)]);
}

/** A double. */
export function double(field: number, value: number): Field {
  const head = varint(field * 8 + 1);
  const all = Buffer.alloc(head.length + 8);
  all.set(head);
  all.writeDoubleLE(value, head.length);
  return all;
}

/** An unsigned integer of 64 bits. */
export function fixed64(field: number, value: bigint): Field {
  const head = varint(field * 8 + 1);
  const all = Buffer.alloc(head.length + 8);
  all.set(head);
  all.writeBigUInt64LE(value, head.length);
  return all;
}
