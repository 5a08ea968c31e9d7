/**
 * Bodies of messages as texts, alike for what downstreams answer and for what callers send. A text has exactly the characters that were
 * sent: what cannot be decoded is a fault, and never holds replacement characters.
 */
import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';

/** Why a body is no text. */
export interface TextFault {
  /** What follows "The body" or "The answer" in a sentence, without its full stop. Names a charset, and nothing of the body. */
  readonly problem: string;
}

/** A charset that a Content-Type declares. Single quotes are a mistake that some servers make. */
const charsetParameter = /;\s*charset\s*=\s*["']?([^\s"';,]*)/i;

/** Both are read as UTF-8, of which US-ASCII is a part. The Encoding Standard reads US-ASCII as windows-1252, which takes any byte for a character. */
const utf8Labels = /^(?:utf-?8|us-ascii|ascii)$/i;

/** Kinds of `application` and other types that are texts; all of `text` is. */
const textTypes = /^text\/|[/+](?:json|xml|yaml|x-yaml|x-ndjson|javascript|x-www-form-urlencoded|jwt)\s*(?:;|,|$)/i;

/** A label of a charset that can be shown: a header may hold anything. */
const shownLabel = /^[\w.:+-]{1,40}$/;

/**
 * The text of a body, without its byte order mark. The charset is UTF-8 where the body has its mark, else the declared one, else that of a mark
 * of UTF-16, else UTF-8.
 * A body that its Content-Type declares to be no text (an image, a PDF, `application/octet-stream`) and that is not UTF-8 either is given in
 * base64.
 */
export function decodeText(bytes: Buffer, contentType: string | undefined): string | TextFault {
  // The usual type needs no search for a parameter.
  const charset = contentType === undefined || contentType === 'application/json' ? undefined : charsetOf(contentType);
  const hasMark = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  if (charset !== undefined && !hasMark && charset !== 'utf-8' && !utf8Labels.test(charset))
    return decodeDeclared(bytes, charset);
  const text = bytes.toString('utf8', hasMark ? 3 : 0);
  // A look at the text is cheaper than one at the bytes, which only a text with this character needs: it may have been sent.
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

/** Whether a label names a charset that can be decoded. */
export function isCharset(label: string): boolean {
  return utf8Labels.test(label) || decoderFor(label) !== undefined;
}

/** Charsets by Content-Type, of the first so many short ones that were seen: there are few, and each stands in very many messages. */
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
  // UTF-16 without a direction has it in its byte order mark (RFC 2781, 4.3).
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
    // The platform does not know it: what this means is for the caller to say.
    return undefined;
  }
}

/** UTF-16 in the direction of its byte order mark. */
function wideCharset(bytes: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}
