/**
 * Answers of downstreams as servers really send them, byte by byte: what is tolerated, and what leaves it open whether the call took effect.
 * `docs/guide/execution.md` lists the same lines; a test compares the two.
 */
import type { Socket } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';

/** One way to answer. */
export interface SpokenAnswer {
  /** Its line in the documentation. */
  readonly line: string;
  /** What is special here. */
  readonly what: string;
  /** What is sent for a body. A function writes by itself, and ends as it likes. */
  readonly send: (body: string) => string | Buffer | ((socket: Socket) => void);
  /** What happens to the connection afterwards; it is kept open by default. */
  readonly finish?: 'end' | 'reset';
  /** The verb that is needed; default POST. */
  readonly verb?: 'HEAD';
  /** What comes of it: a status with the body or without one, or nothing that can be relied on. */
  readonly means: { readonly status: number; readonly isEmpty?: true } | 'unknown';
}

const ok = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const chunked = `${ok}transfer-encoding: chunked\r\n\r\n`;
const going = 'HTTP/1.1 100 Continue\r\n\r\n';

const lengthOf = (body: string | Buffer): string => `content-length: ${String(body.length)}\r\n`;
const sized = (body: string): string => `${lengthOf(body)}\r\n${body}`;
const whole = (body: string): string => ok + sized(body);
const chunk = (body: string | Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), Buffer.from(body), Buffer.from('\r\n')]);
const joined = (...parts: readonly (string | Buffer)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part)));
const lastChunk = '0\r\n\r\n';
const inChunks = (body: string | Buffer): Buffer => joined(chunk(body), lastChunk);

type Case = readonly [
  what: string,
  send: SpokenAnswer['send'],
  more?: Partial<Pick<SpokenAnswer, 'finish' | 'verb' | 'means'>>,
];

function line(name: string, means: SpokenAnswer['means'], cases: readonly Case[]): SpokenAnswer[] {
  return cases.map(([what, send, more]) => ({ line: name, what, send, means, ...more }));
}

const end = { finish: 'end' } as const;
const fine = { status: 200 } as const;
const empty = (status: number) => ({ means: { status, isEmpty: true } }) as const;
/** More than Node's own limit of a head. */
const tooLong = 40_000;

/** What is tolerated. */
export const toleratedAnswers: readonly SpokenAnswer[] = [
  ...line('Interim answers before the final one (100, 102, 103 and so on), any number of them', fine, [
    ['100', (body) => going + whole(body)],
    ['100 with a length', (body) => `HTTP/1.1 100 Continue\r\ncontent-length: 0\r\n\r\n${whole(body)}`],
    ['102, 103, 100', (body) => `HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nlink: </a>\r\n\r\n${going}${whole(body)}`],
    [
      '100, cut in its middle and before the final one',
      (body) => (socket) => {
        socket.setNoDelay(true);
        socket.write(going.slice(0, 11));
        setTimeout(() => socket.write(going.slice(11)), 3);
        setTimeout(() => socket.write(whole(body)), 6);
      },
    ],
  ]),
  ...line('Empty lines before the answer', fine, [['two', (body) => `\r\n\r\n${whole(body)}`]]),
  ...line('HTTP/1.0', fine, [
    ['without a length', (body) => `HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n${body}`, end],
    ['with a length', (body) => whole(body).replace('1.1', '1.0')],
    ['with keep-alive', (body) => whole(body).replace('1.1', '1.0').replace('\r\n', '\r\nconnection: keep-alive\r\n')],
    ['in chunks', (body) => joined(chunked.replace('1.1', '1.0'), inChunks(body)), end],
  ]),
  ...line('A status line without a reason, or with bytes beyond ASCII in it', fine, [
    ['without', (body) => whole(body).replace(' OK', '')],
    ['a blank only', (body) => whole(body).replace('OK', '')],
    ['Latin-1', (body) => Buffer.from(whole(body).replace('OK', 'déjà'), 'latin1')],
  ]),
  ...line('No length: the answer is complete when the connection closes in order', fine, [
    ['close', (body) => `${ok}connection: close\r\n\r\n${body}`, end],
    ['keep-alive, although it ends', (body) => `${ok}connection: keep-alive\r\n\r\n${body}`, end],
    ['no body either', () => `${ok}\r\n`, { ...end, ...empty(200) }],
  ]),
  ...line('Chunks with extensions; trailers (they do not count as headers)', fine, [
    ['an extension', (body) => joined(chunked, `${body.length.toString(16)};a=b;c="d"\r\n${body}\r\n`, lastChunk)],
    ['a trailer', (body) => joined(chunked, chunk(body), '0\r\nx-late: 1\r\n\r\n')],
    ['many small ones', (body) => joined(chunked, ...body.split('').map(chunk), lastChunk)],
  ]),
  ...line('Spaces around a length', fine, [
    ['before', (body) => whole(body).replace('length: ', 'length: \t  ')],
    ['behind', (body) => whole(body).replace(/(content-length: \d+)/, '$1   ')],
  ]),
  ...line('A coding in addition to chunks (`Transfer-Encoding: gzip, chunked`): Trama decodes it', fine, [
    ['gzip', (body) => joined(`${ok}transfer-encoding: gzip, chunked\r\n\r\n`, inChunks(gzipSync(body)))],
    [
      'gzip of deflate',
      (body) =>
        joined(
          `${ok}transfer-encoding: gzip,Chunked\r\ncontent-encoding: deflate\r\n\r\n`,
          inChunks(gzipSync(deflateSync(body))),
        ),
    ],
    ['gzip without chunks', (body) => joined(`${ok}transfer-encoding: gzip\r\n\r\n`, gzipSync(body)), end],
  ]),
  ...line('A body after 204, 304 or the answer to HEAD: Trama ignores it', fine, [
    ['204 with a length', (body) => `HTTP/1.1 204 No Content\r\n${sized(body)}`, empty(204)],
    ['204 with a length and no body', (body) => `HTTP/1.1 204 No Content\r\n${lengthOf(body)}\r\n`, empty(204)],
    [
      '204 in chunks',
      (body) => joined('HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n', inChunks(body)),
      empty(204),
    ],
    ['204 until the end', (body) => `HTTP/1.1 204 No Content\r\n\r\n${body}`, { ...end, ...empty(204) }],
    ['304', (body) => `HTTP/1.1 304 Not Modified\r\n${sized(body)}`, empty(304)],
    ['304 without one', (body) => `HTTP/1.1 304 Not Modified\r\n${lengthOf(body)}\r\n`, empty(304)],
    ['HEAD without one', (body) => `${ok}${lengthOf(body)}\r\n`, { verb: 'HEAD', ...empty(200) }],
    ['HEAD in no chunks', () => chunked, { verb: 'HEAD', ...empty(200) }],
    ['HEAD', whole, { verb: 'HEAD', ...empty(200) }],
  ]),
  ...line('Bytes after the answer, such as another answer: Trama drops them and closes the connection', fine, [
    ['bytes', (body) => `${whole(body)}EXTRA`],
    ['bytes behind chunks', (body) => joined(chunked, inChunks(body), 'EXTRA')],
    ['another answer', (body) => whole(body) + whole('"another"')],
  ]),
  ...line('An offer to upgrade to another protocol in a final answer', fine, [
    ['h2c', (body) => `${ok}upgrade: h2c\r\nconnection: upgrade\r\n${sized(body)}`],
    ['h2, and close', (body) => `${ok}upgrade: h2,h2c\r\nconnection: Upgrade, close\r\n${sized(body)}`, end],
  ]),
  ...line('A reset after an answer that is complete by its length or chunks', fine, [
    ['length', (body) => `${ok}connection: close\r\n${sized(body)}`, { finish: 'reset' }],
    [
      'chunks',
      (body) => joined(`${ok}connection: close\r\ntransfer-encoding: chunked\r\n\r\n`, inChunks(body)),
      { finish: 'reset' },
    ],
  ]),
  ...line('A repeated header: its values are joined by a comma', fine, [
    ['a type', (body) => `${ok}content-type: application/json\r\n${sized(body)}`],
  ]),
  ...line('A Content-Encoding that changes no byte (`identity`, `none`, `utf-8`)', fine, [
    ['identity', (body) => `${ok}content-encoding: identity\r\n${sized(body)}`],
    ['a charset', (body) => `${ok}content-encoding: UTF-8\r\n${sized(body)}`],
    ['nothing', (body) => `${ok}content-encoding:\r\n${sized(body)}`],
  ]),
];

const lost = 'unknown';

/** After what the outcome is unknown. */
export const unknownAnswers: readonly SpokenAnswer[] = [
  ...line('No answer: the connection ends or is reset before the head is complete', lost, [
    ['nothing', () => '', end],
    ['a reset', () => '', { finish: 'reset' }],
    ['half a head', () => ok, end],
    ['interim answers only', () => `${going}HTTP/1.1 103 E\r\nlink: </a>\r\n\r\n`, end],
    ['half an interim answer', () => going.slice(0, 20), end],
  ]),
  ...line('A truncated body: shorter than its length, chunks without an end, a reset', lost, [
    ['a reset, without a length', (body) => `${ok}connection: close\r\n\r\n${body}`, { finish: 'reset' }],
    ['shorter', (body) => ok + sized(body).slice(0, -1), end],
    ['no last chunk', (body) => joined(chunked, chunk(body)), end],
    ['in the size of a chunk', () => `${chunked}1`, end],
    ['in the last chunk', (body) => joined(chunked, chunk(body), '0\r\n'), end],
    ['in the last line end', (body) => joined(chunked, chunk(body), '0\r\n\r'), end],
  ]),
  ...line(
    'Invalid chunks: a size that is not a number or is too large, a size that does not match the data, line ends without CR',
    lost,
    [
      ['no number', (body) => `${chunked}xyz\r\n${body}\r\n${lastChunk}`],
      ['too large', (body) => `${chunked}ffffffffffffffffff\r\n${body}`],
      ['blanks', (body) => `${chunked}${body.length.toString(16)}  \r\n${body}\r\n${lastChunk}`],
      ['more bytes', (body) => `${chunked}1\r\n${body}\r\n${lastChunk}`],
      ['no CR', (body) => `${chunked}${body.length.toString(16)}\n${body}\n0\n\n`],
    ],
  ),
  ...line('Several lengths, even equal ones; a length that is not a number', lost, [
    ['different', (body) => `${ok}content-length: 1\r\n${sized(body)}`, end],
    ['equal', (body) => ok + lengthOf(body) + sized(body)],
    ['a list', (body) => whole(body).replace(/length: (\d+)/, 'length: $1, $1')],
    ['negative', (body) => `${ok}content-length: -3\r\n\r\n${body}`, end],
    ['a sign', (body) => whole(body).replace('length: ', 'length: +')],
    ['hexadecimal', (body) => `${ok}content-length: 0x3\r\n\r\n${body}`, end],
    ['none', (body) => `${ok}content-length:\r\n\r\n${body}`, end],
    ['too large a number', (body) => `${ok}content-length: 99999999999999999999999\r\n\r\n${body}`, end],
  ]),
  ...line('A length together with chunks', lost, [
    ['before', (body) => joined(`${ok}${lengthOf(body)}transfer-encoding: chunked\r\n\r\n`, inChunks(body))],
    ['behind', (body) => joined(`${ok}transfer-encoding: chunked\r\n${lengthOf(body)}\r\n`, inChunks(body))],
    ['identity', (body) => `${ok}transfer-encoding: identity\r\n${sized(body)}`],
  ]),
  ...line('An unknown transfer coding; a coding after `chunked`', lost, [
    ['not known', (body) => joined(`${ok}transfer-encoding: x, chunked\r\n\r\n`, inChunks(body))],
    ['not the last', (body) => joined(`${ok}transfer-encoding: chunked, gzip\r\n\r\n`, gzipSync(inChunks(body))), end],
    ['no gzip', (body) => joined(`${ok}transfer-encoding: gzip, chunked\r\n\r\n`, inChunks(body))],
  ]),
  ...line('An answer that does not begin as HTTP/1 (HTTP/0.9, ICY, SSH, TLS), or a status without three digits', lost, [
    ['HTTP/0.9', (body) => body, end],
    ['HTTP/2', (body) => whole(body).replace('1.1', '2')],
    ['HTTP/1.2', (body) => whole(body).replace('1.1', '1.2')],
    ['ICY', (body) => whole(body).replace('HTTP/1.1', 'ICY')],
    ['lower case', (body) => whole(body).replace('HTTP', 'http')],
    ['SSH', () => 'SSH-2.0-x\r\n\r\n'],
    ['an alert of TLS', () => Buffer.from([0x15, 3, 1, 0, 2, 2, 0x28])],
    ['a byte order mark', (body) => `\ufeff${whole(body)}`],
    ['two digits', (body) => whole(body).replace('200', '99')],
    ['four digits', (body) => whole(body).replace('200', '2000')],
    ['no digits', (body) => whole(body).replace('200', '2x0')],
    ['000', (body) => whole(body).replace('200', '000')],
    ['two blanks', (body) => whole(body).replace(' 200', '  200')],
  ]),
  ...line('A status above 599, which HTTP does not define', lost, [
    ['600', (body) => whole(body).replace('200', '600')],
    ['999', (body) => whole(body).replace('200', '999')],
  ]),
  ...line('101: the downstream switches to a protocol that was not requested', lost, [
    ['101', () => 'HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n'],
    ['101 without more', () => 'HTTP/1.1 101 Switching Protocols\r\n\r\n', end],
  ]),
  ...line('Line ends without CR; headers over several lines (obs-fold)', lost, [
    ['LF', (body) => whole(body).replaceAll('\r\n', '\n')],
    ['CR', (body) => whole(body).replaceAll('\r\n', '\r'), end],
    ['LF in an interim answer', (body) => going.replaceAll('\r\n', '\n') + whole(body)],
    ['two lines', (body) => `${ok}x-a: 1\r\n  2\r\n${sized(body)}`],
    ['a length on the second', (body) => whole(body).replace('length: ', 'length:\r\n ')],
  ]),
  ...line(
    'Invalid header lines: no colon, a space before it, a name that HTTP does not allow, control characters',
    lost,
    [
      ['no colon', (body) => `${ok}garbage\r\n${sized(body)}`],
      ['a blank', (body) => whole(body).replace('length:', 'length :')],
      ['no name', (body) => `${ok}: x\r\n${sized(body)}`],
      ['another name', (body) => `${ok}x(y): x\r\n${sized(body)}`],
      ['NUL', (body) => `${ok}x: a\0b\r\n${sized(body)}`],
      ['a control character', (body) => `${ok}x: a\u0001b\r\n${sized(body)}`],
    ],
  ),
  ...line('A head above 16 KiB', lost, [
    ['one header', (body) => `${ok}x: ${'y'.repeat(tooLong)}\r\n${sized(body)}`],
    ['many', (body) => `${ok}${'x: yyyyyyyyyy\r\n'.repeat(tooLong / 10)}${sized(body)}`],
  ]),
  ...line('A successful answer whose body cannot be decoded: its content coding, its charset', lost, [
    ['no gzip', (body) => `${ok}content-encoding: gzip\r\n${sized(body)}`],
    [
      'gzip that is cut off',
      (body) => {
        const coded = gzipSync(body).subarray(0, -9);
        return joined(`${ok}content-encoding: gzip\r\n${lengthOf(coded)}\r\n`, coded);
      },
    ],
    ['a coding that is not known', (body) => `${ok}content-encoding: compress\r\n${sized(body)}`],
    ['no UTF-8', (body) => joined(ok, `${lengthOf(`${body}x`)}\r\n${body}`, Buffer.from([0xff]))],
    [
      'a charset that is not known',
      (body) => `HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-7\r\n${sized(body)}`,
    ],
  ]),
];

/** Answers a request as a case says. */
export function speak(socket: Socket, { send, finish }: SpokenAnswer, body: string): void {
  const sent = send(body);
  if (typeof sent === 'function') sent(socket);
  else if (finish === 'end') socket.end(sent);
  else if (finish === undefined) socket.write(sent);
  // Time for what was sent to arrive: a reset overtakes it otherwise.
  else socket.write(sent, () => setTimeout(() => socket.resetAndDestroy(), 20));
}
