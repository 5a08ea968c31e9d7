import { describe, expect, it } from 'vitest';
import { decodeText } from './charset.ts';

const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

describe('the text of a body', () => {
  it.each<[string, string | undefined, Buffer, string]>([
    ['UTF-8', undefined, Buffer.from('grüße 😀'), 'grüße 😀'],
    ['UTF-8 with its mark', 'application/json', Buffer.from('\ufeff{}'), '{}'],
    ['UTF-8 by its other name', 'text/plain; charset=utf8', Buffer.from('é'), 'é'],
    ['UTF-8 that is called US-ASCII', 'text/plain; charset=US-ASCII', Buffer.from('é'), 'é'],
    ['a replacement character that was sent', 'text/plain', Buffer.from('\ufffd'), '\ufffd'],
    ['Latin-1', 'text/plain; charset="ISO-8859-1"', Buffer.from('grüße', 'latin1'), 'grüße'],
    ['Latin-1 as JSON', 'application/json;charset=ISO-8859-1', Buffer.from('"grüße"', 'latin1'), '"grüße"'],
    ['Latin-9', 'text/plain; charset=iso-8859-15', Buffer.from([0xa4]), '€'],
    ['windows-1252, in single quotes', "text/xml; charset='windows-1252'", Buffer.from([0x80]), '€'],
    ['a type that is given twice', 'text/plain; charset=latin1, text/plain', Buffer.from('é', 'latin1'), 'é'],
    ['UTF-8 with its mark that is called Latin-1', 'text/plain; charset=latin1', Buffer.from('\ufeffé'), 'é'],
    ['an empty charset', 'text/plain; charset=', Buffer.from('é'), 'é'],
    ['Shift_JIS', 'text/html; charset=Shift_JIS', Buffer.from([0x93, 0xfa, 0x96, 0x7b]), '日本'],
    ['GB18030', 'text/html; charset=gb18030', Buffer.from([0xc4, 0xe3]), '你'],
    ['UTF-16, as its mark says: little-endian', 'text/plain; charset=utf-16', Buffer.from('\ufeff日', 'utf16le'), '日'],
    ['UTF-16, as its mark says: big-endian', 'text/plain; charset=UTF-16', utf16be('\ufeff日'), '日'],
    ['UTF-16BE', 'application/json; charset=utf-16be', utf16be('{"a":"日"}'), '{"a":"日"}'],
    ['UTF-16 by its mark alone', 'application/json', utf16be('\ufeff{}'), '{}'],
    ['base64 of what is declared to be no text', 'application/pdf', Buffer.from([0x25, 0xff, 0xfe]), 'Jf/+'],
    ['text in what is declared to be no text', 'application/octet-stream', Buffer.from('é'), 'é'],
  ])('is read: %s', (_what, type, bytes, text) => {
    expect(decodeText(bytes, type)).toBe(text);
  });

  it.each<[string | undefined, number[], string]>([
    [undefined, [0x67, 0xfc], 'is not UTF-8, and its Content-Type declares no other charset'],
    ['text/html', [0xfc], 'is not UTF-8, and its Content-Type declares no other charset'],
    [
      'application/json',
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      'is not UTF-8, and its Content-Type declares no other charset',
    ],
    ['application/problem+json', [0xff], 'is not UTF-8, and its Content-Type declares no other charset'],
    ['image/svg+xml', [0xff], 'is not UTF-8, and its Content-Type declares no other charset'],
    ['text/plain; charset=utf-8', [0xc3], 'is not valid UTF-8, which its Content-Type declares'],
    ['image/png; charset=utf-8', [0x89], 'is not valid UTF-8, which its Content-Type declares'],
    [
      'text/plain; charset=<b>',
      [0xef, 0xbb, 0xbf, 0xff],
      'is not valid UTF-8, although it has the byte order mark of it',
    ],
    ['text/plain; charset=us-ascii', [0x80], 'is not valid US-ASCII, which its Content-Type declares'],
    ['text/plain; charset=utf-16le', [0x41], 'is not valid utf-16le, which its Content-Type declares'],
    ['text/plain; charset=utf-16', [0x00, 0xd8], 'is not valid utf-16, which its Content-Type declares'],
    ['text/plain; charset=shift_jis', [0x81], 'is not valid shift_jis, which its Content-Type declares'],
    ['text/plain; charset=gbk', [0x81], 'is not valid gbk, which its Content-Type declares'],
    ['text/plain; charset=utf-7', [0x41], 'has a charset that is not known (utf-7)'],
    ['text/plain; charset=<b>', [0x41], 'has a charset that is not known'],
  ])('is a fault: %s', (type, bytes, problem) => {
    expect(decodeText(Buffer.from(bytes), type)).toEqual({ problem });
  });
});
