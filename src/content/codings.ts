import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib';
import { isCharset } from './charset.ts';

/** Content codings that calls accept and that requests may use. */
export const acceptedCodings = 'gzip, deflate, br, zstd';

/** Bodies with more codings are refused, because each coding multiplies the cost of decoding. */
const maxCodings = 3;

/** Why a body cannot be decoded. */
export interface CodingFault {
  /**
   * `unknown`: an unknown coding, or too many; `invalid`: the body does not match its coding; `too_large`: the decoded
   * body exceeds the limit.
   */
  readonly kind: 'unknown' | 'invalid' | 'too_large';
  /** Continues "The body" or "The answer" in a sentence, without a full stop. */
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
 * Values that servers send in Content-Encoding although they change no byte of the body: "no coding", MIME transfer
 * encodings, and `aws-chunked`, an upload framing that object stores keep as a header.
 */
const noCodings: ReadonlySet<string> = new Set(['identity', 'none', 'binary', '7bit', '8bit', 'aws-chunked']);

/** A coding that is safe to show; a header may contain anything. */
const shownCoding = /^[\w.+-]{1,40}$/;

/**
 * RFC 9110 requires the zlib format, whose first byte ends in the bits 1000; many servers send a raw deflate stream.
 */
function decodeDeflate(data: Buffer, options: { maxOutputLength: number }, done: Parameters<Decoder>[2]): void {
  if (((data[0] ?? 0) & 0x0f) === 8) inflate(data, options, done);
  else inflateRaw(data, options, done);
}

/**
 * The codings of a `content-encoding` header, in decoding order; empty if the body is not encoded. Includes unknown
 * codings. Excludes values that change no byte: `identity`, its variants, and charsets, which some servers send here.
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
 * Decodes `codings` one after the other, each limited to `maxBytes`.
 *
 * @param done called exactly once, synchronously or later, with the decoded bytes or a fault.
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

/** The {@link CodingFault.problem} of a body above the limit. */
export function tooLargeProblem(maxBytes: number): string {
  return `is larger than ${String(maxBytes)} bytes`;
}
