import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';

/** Why a body cannot be decoded to text. */
export interface TextFault {
  /**
   * Continues "The body" or "The answer" in a sentence, without a full stop. Names the charset, never content of the
   * body.
   */
  readonly problem: string;
}

/** The charset parameter of a Content-Type. Some servers wrongly use single quotes. */
const charsetParameter = /;\s*charset\s*=\s*["']?([^\s"';,]*)/i;

/**
 * Charsets read as UTF-8, a superset of US-ASCII. The Encoding Standard maps US-ASCII to windows-1252, which would
 * accept any byte.
 */
const utf8Labels = /^(?:utf-?8|us-ascii|ascii)$/i;

/** Media types that hold text: all of `text/`, and these of other types. */
const textTypes = /^text\/|[/+](?:json|xml|yaml|x-yaml|x-ndjson|javascript|x-www-form-urlencoded|jwt)\s*(?:;|,|$)/i;

/** A charset label that is safe to show; a header may contain anything. */
const shownLabel = /^[\w.:+-]{1,40}$/;

/**
 * Decodes a body to text, without its byte order mark; used for answers of downstreams and for requests of callers. The
 * charset is UTF-8 if the body has its byte order mark, else the declared charset, else UTF-16 if the body has that
 * byte order mark, else UTF-8.
 *
 * The text never contains replacement characters that the sender did not send: undecodable bytes are a
 * {@link TextFault} instead. A body that its Content-Type declares as binary (an image, a PDF,
 * `application/octet-stream`) and that is not UTF-8 is returned in base64.
 */
export function decodeText(bytes: Buffer, contentType: string | undefined): string | TextFault {
  // The usual type has no parameter to search for.
  const charset = contentType === undefined || contentType === 'application/json' ? undefined : charsetOf(contentType);
  const hasMark = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  if (charset !== undefined && !hasMark && charset !== 'utf-8' && !utf8Labels.test(charset))
    return decodeDeclared(bytes, charset);
  const text = bytes.toString('utf8', hasMark ? 3 : 0);
  // Searching the text is cheaper than validating the bytes. Only a text with U+FFFD needs the validation, as the
  // sender may have sent it.
  if (!text.includes('\ufffd') || isUtf8(bytes)) return text;
  if (hasMark) return { problem: 'is not valid UTF-8, although it has the byte order mark of it' };
  if (charset !== undefined) {
    return { problem: `is not valid ${charset.toUpperCase()}, which its Content-Type declares` };
  }
  if (contentType !== undefined && !textTypes.test(contentType)) return bytes.toString('base64');
  const wide = wideCharset(bytes);
  return wide === undefined
    ? { problem: 'is not UTF-8, and its Content-Type declares no other charset' }
    : decodeDeclared(bytes, wide);
}

/** Whether the platform can decode the charset with this label. */
export function isCharset(label: string): boolean {
  return utf8Labels.test(label) || decoderFor(label) !== undefined;
}

/**
 * Caches the charset of the first {@link maxSeenCharsets} short Content-Types: there are few distinct ones, each in
 * very many messages.
 */
const seenCharsets = new Map<string, string | undefined>();
const maxSeenCharsets = 64;
const maxSeenLength = 128;

function charsetOf(contentType: string): string | undefined {
  const seen = seenCharsets.get(contentType);
  if (seen !== undefined || seenCharsets.has(contentType)) return seen;
  const charset = charsetParameter.exec(contentType)?.[1] || undefined;
  if (seenCharsets.size < maxSeenCharsets && contentType.length <= maxSeenLength)
    seenCharsets.set(contentType, charset);
  return charset;
}

function decodeDeclared(bytes: Buffer, charset: string): string | TextFault {
  const shown = shownLabel.test(charset) ? charset : undefined;
  // Plain UTF-16 takes its byte order from the byte order mark (RFC 2781, 4.3).
  const label = /^utf-?16$/i.test(charset) ? (wideCharset(bytes) ?? charset) : charset;
  const decoder = decoderFor(label);
  if (decoder === undefined) {
    return { problem: `has a charset that is not known${shown === undefined ? '' : ` (${shown})`}` };
  }
  try {
    return decoder.decode(bytes);
  } catch {
    return { problem: `is not valid ${shown ?? label}, which its Content-Type declares` };
  }
}

function decoderFor(label: string): TextDecoder | undefined {
  try {
    return new TextDecoder(label, { fatal: true });
  } catch {
    // The platform does not know the charset; the caller decides what follows.
    return undefined;
  }
}

/** UTF-16 with the byte order of the body's byte order mark; undefined without one. */
function wideCharset(bytes: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}
