/** Content codings of answers, with a limit that holds after decoding. */
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib';

/** What calls ask for. */
export const acceptedCodings = 'gzip, deflate, br, zstd';

/** More than this many codings on one answer are refused: each one multiplies what an answer can cost. */
const maxCodings = 3;

type Decoder = (
  data: Buffer,
  options: { maxOutputLength: number },
  done: (error: Error | null, decoded: Buffer) => void,
) => void;

const decoders: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', decodeDeflate],
  ['br', brotliDecompress],
  ['zstd', zstdDecompress],
]);

/** RFC 9110 says zlib format; many servers send the bare stream. The low four bits of zlib's first byte are 8. */
function decodeDeflate(data: Buffer, options: { maxOutputLength: number }, done: Parameters<Decoder>[2]): void {
  if (((data[0] ?? 0) & 0x0f) === 8) inflate(data, options, done);
  else inflateRaw(data, options, done);
}

/**
 * The codings of a `content-encoding` header, in the order to undo them; empty when there is nothing to undo. A header
 * that names a coding nobody asked for (some servers write a charset there) leaves the body as it came.
 */
export function codingsOf(header: string | undefined): readonly string[] {
  if (header === undefined || header === '') return [];
  const codings = header
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  return codings.every((coding) => decoders.has(coding)) ? codings.toReversed() : [];
}

/**
 * Undoes `codings` one after the other, each within `maxBytes`.
 *
 * @param done called later, once: with the bytes, or with a sentence on why they cannot be had.
 */
export function decodeContent(
  data: Buffer,
  codings: readonly string[],
  maxBytes: number,
  done: (problem: string | undefined, decoded: Buffer) => void,
): void {
  const [coding, ...rest] = codings;
  const decode = coding === undefined ? undefined : decoders.get(coding);
  if (codings.length > maxCodings || decode === undefined) {
    done(`The answer has more than ${maxCodings} content codings.`, data);
    return;
  }
  decode(data, { maxOutputLength: maxBytes }, (error, decoded) => {
    if (error !== null) {
      const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      done(tooLarge ? tooLargeSentence(maxBytes) : `The answer is not valid ${coding}: ${error.message}.`, data);
    } else if (rest.length > 0) {
      decodeContent(decoded, rest, maxBytes, done);
    } else {
      done(undefined, decoded);
    }
  });
}

/** The sentence for an answer above the limit. */
export function tooLargeSentence(maxBytes: number): string {
  return `The answer is larger than ${maxBytes} bytes.`;
}
