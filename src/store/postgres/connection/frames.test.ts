import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Frames, UnreadableAnswer } from './frames.ts';

function message(type: string, body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const error = message('E', Buffer.from('SFATAL\0C57P01\0Mgone\0\0'));

/** Checks bytes in pieces of these sizes, again and again. */
function check(bytes: Buffer, sizes: readonly number[]): void {
  const frames = new Frames();
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    frames.check(bytes.subarray(at, at + size));
    at += size;
  }
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

describe('messages of a server', () => {
  it('pass, however they are cut', () => {
    const plain = fc.tuple(fc.constantFrom('R', 'D', 'C', 'Z', '1', 'T'), fc.uint8Array({ maxLength: 60 }));
    const messages = fc.array(
      fc.oneof(
        plain.map(([type, body]) => message(type, body)),
        fc.constantFrom(error, message('N', Buffer.from([0]))),
      ),
    );
    fc.assert(
      fc.property(messages, sizes, (all, cuts) => {
        check(Buffer.concat(all), cuts);
      }),
    );
  });

  it.each([
    ['a type that there is not', message('?', Buffer.alloc(3))],
    ['another protocol', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a length that is too small', Buffer.from([0x5a, 0, 0, 0, 3])],
    ['an error without its end', message('E', Buffer.from('Mnever'))],
    ['a notice with half of its end', message('N', Buffer.from('Mnever\0'))],
    ['an error without anything', message('E', Buffer.alloc(0))],
  ])('do not pass with %s', (_name, bytes) => {
    fc.assert(
      fc.property(sizes, (cuts) => {
        const all = Buffer.concat([message('Z', Buffer.from('I')), bytes]);
        expect(() => check(all, cuts)).toThrow(UnreadableAnswer);
      }),
    );
  });
});
