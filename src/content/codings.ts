/** Content codings of bodies, with a limit that holds after decoding; alike for answers and for requests. */
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib';
import { isCharset } from './charset.ts';

/** What calls ask for, and what requests may have. */
export const acceptedCodings = 'gzip, deflate, br, zstd';

/** More than this many codings on one body are refused: each one multiplies what a body can cost. */
const maxCodings = 3;

/** Why a body cannot be decoded. */
export interface CodingFault {
  /** `unknown`: a coding that is not known, or too many; `invalid`: the body is not what its coding says; `too_large`: it is larger than the limit. */
  readonly kind: 'unknown' | 'invalid' | 'too_large';
  /** What follows "The body" or "The answer" in a sentence, without its full stop. */
  readonly problem: string;
}

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

/**
 * What servers write into Content-Encoding although it changes no byte of the body: no coding at all, what mail calls an encoding, and the
 * chunks of an upload that a store of objects has kept as a header.
 */
const noCodings: ReadonlySet<string> = new Set(['identity', 'none', 'binary', '7bit', '8bit', 'aws-chunked']);

/** A coding that can be shown: a header may hold anything. */
const shownCoding = /^[\w.+-]{1,40}$/;

/** RFC 9110 says zlib format; many servers send the bare stream. The low four bits of zlib's first byte are 8. */
function decodeDeflate(data: Buffer, options: { maxOutputLength: number }, done: Parameters<Decoder>[2]): void {
  if (((data[0] ?? 0) & 0x0f) === 8) inflate(data, options, done);
  else inflateRaw(data, options, done);
}

/**
 * The codings of a `content-encoding` header, in the order to undo them; empty when there is nothing to undo. Left out is what changes no
 * byte: `identity`, its misspellings, and charsets, which some servers write there. Codings that are not known are in it.
 */
export function codingsOf(header: string | undefined): readonly string[] {
  if (header === undefined || header === '') return [];
  return header
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && (decoders.has(coding) || !(noCodings.has(coding) || isCharset(coding))))
    .toReversed();
}

/**
 * Undoes `codings` one after the other, each within `maxBytes`.
 *
 * @param done called once, at once or later: with the bytes, or with why they cannot be had.
 */
export function decodeContent(
  data: Buffer,
  codings: readonly string[],
  maxBytes: number,
  done: (fault: CodingFault | undefined, decoded: Buffer) => void,
): void {
  const [coding = '', ...rest] = codings;
  const decode = decoders.get(coding);
  if (codings.length > maxCodings) {
    done({ kind: 'unknown', problem: `has more than ${String(maxCodings)} content codings` }, data);
    return;
  }
  if (decode === undefined) {
    const shown = shownCoding.test(coding) ? ` (${coding})` : '';
    done({ kind: 'unknown', problem: `has a content coding that is not known${shown}` }, data);
    return;
  }
  decode(data, { maxOutputLength: maxBytes }, (error, decoded) => {
    if (error !== null) {
      const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
      done(
        tooLarge
          ? { kind: 'too_large', problem: tooLargeProblem(maxBytes) }
          : { kind: 'invalid', problem: `is not valid ${coding}: ${error.message}` },
        data,
      );
    } else if (rest.length > 0) {
      decodeContent(decoded, rest, maxBytes, done);
    } else {
      done(undefined, decoded);
    }
  });
}

/** What is wrong with a body above the limit, as in {@link CodingFault.problem}. */
export function tooLargeProblem(maxBytes: number): string {
  return `is larger than ${String(maxBytes)} bytes`;
}
