import { describe, expect, it } from 'vitest';
import { etagOf, holdsFor, ifMatch, ifNoneMatch } from './entity-tags.ts';

const revision = { seq: 12, inboxSeq: 3 };

describe('conditions of requests', () => {
  it.each([
    ['"12.3"', true, true],
    ['*', true, true],
    [' * ', true, true],
    ['"1.1", "12.3"', true, true],
    ['"1.1","12.3",', true, true],
    ['W/"12.3"', false, true],
    ['"12.4"', false, false],
    ['"abc"', false, false],
    ['""', false, false],
    ['"012.3"', true, true],
  ])('%s', (header, matches, matchesWeakly) => {
    expect(holdsFor(ifMatch(header), revision)).toBe(matches);
    expect(holdsFor(ifNoneMatch(header), revision)).toBe(matchesWeakly);
  });

  it.each(['12.3', '"12.3', '"12.3" "1.1"', '*, "12.3"', 'w/"12.3"', '', ',', '"a\tb"'])('refuse %j', (header) => {
    expect(() => ifMatch(header)).toThrow('If-Match: Must be * or a list of entity tags');
    expect(() => ifNoneMatch(header)).toThrow('If-None-Match: Must be');
  });

  it('are none without the header', () => {
    expect([ifMatch(undefined), ifNoneMatch(undefined)]).toEqual([undefined, undefined]);
    expect(holdsFor(undefined, revision)).toBe(false);
  });

  it('take the tag of a revision', () => {
    expect(etagOf(revision)).toBe('"12.3"');
    expect(holdsFor(ifMatch(etagOf(revision)), revision)).toBe(true);
  });

  it('are judged in linear time', () => {
    const begun = performance.now();
    expect(() => ifMatch(`${'"a",'.repeat(4000)}x`)).toThrow('If-Match');
    expect(() => ifMatch(`"a"${' '.repeat(16_000)}x`)).toThrow('If-Match');
    expect(() => ifMatch(`"a"${' ,'.repeat(8_000)}x`)).toThrow('If-Match');
    expect(performance.now() - begun).toBeLessThan(500);
  });
});
