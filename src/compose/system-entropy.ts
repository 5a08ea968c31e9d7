import { randomBytes, randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';
import type { Entropy } from '../ports/clock.ts';

/** Ids whose random bytes are fetched at once: a system call for each id would cost more than the id. */
const idsPerFill = 256;

/** Random bytes that one id takes. */
const bytesPerId = 16;

/** The last instant that a UUIDv7 can hold. */
const lastInstant = 2 ** 48 - 1;

/** Exclusive bound of the first sequence number of a millisecond, so that the sequence cannot overflow within it. */
const sequenceStart = 2 ** 31;

/** Creates an {@link Entropy} from the operating system; ids of one millisecond keep the order of the requests. */
export function createSystemEntropy(): Entropy {
  const pool = new Uint8Array(idsPerFill * bytesPerId);
  const bytes = new Uint8Array(bytesPerId);
  const text = Buffer.alloc(36, '-');
  let used = pool.length;
  let lastAt = -1;
  let sequence = 0;
  return {
    uuid(now) {
      // A clock before 1970 or absurdly late must not break ids.
      const at = Math.min(Math.max(0, Math.floor(now)), lastInstant);
      if (used >= pool.length) {
        randomFillSync(pool);
        used = 0;
      }
      const random = pool.subarray(used, used + bytesPerId);
      used += bytesPerId;
      sequence =
        at === lastAt ? sequence + 1 : new DataView(random.buffer, random.byteOffset).getUint32(0) % sequenceStart;
      lastAt = at;
      v7({ msecs: at, seq: sequence, random }, bytes);
      return textOf(bytes, text);
    },
    nonce: () => randomBytes(16).toString('base64url'),
    random: () => Math.random(),
  };
}

const hexDigits = Buffer.from('0123456789abcdef');
/** The places of the hyphens in the text of a UUID. */
const hyphens: ReadonlySet<number> = new Set([8, 13, 18, 23]);
/** Where the digits of each byte begin in the text of a UUID. */
const places: readonly number[] = Array.from({ length: 36 }, (_, i) => i)
  .filter((i) => !hyphens.has(i))
  .filter((_, i) => i % 2 === 0);

/**
 * Writes a UUID as text, by way of a buffer that has the hyphens. The package builds the text of twenty pieces, which
 * takes four times as long and leaves six times the garbage.
 */
function textOf(bytes: Uint8Array, text: Buffer): string {
  for (let i = 0; i < bytesPerId; i++) {
    const byte = bytes[i] as number;
    const place = places[i] as number;
    text[place] = hexDigits[byte >> 4] as number;
    text[place + 1] = hexDigits[byte & 15] as number;
  }
  return text.toString('latin1');
}
