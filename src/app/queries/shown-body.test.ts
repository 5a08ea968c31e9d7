import { describe, expect, it } from 'vitest';
import { Masker } from '../../security/secrets/masking.ts';
import { shownBody } from './shown-body.ts';

const secret = 'correct-horse-battery';
const masker = new Masker({ values: () => [secret] });

describe('a body as people see it', () => {
  it.each([
    ['a text', 'hello', 'hello'],
    ['an object', { a: [1, 'x'] }, '{"a":[1,"x"]}'],
    ['a secret', `say ${secret}!`, 'say ***!'],
  ])('is whole when it is short: %s', (_name, body, shown) => {
    const isJson = typeof body === 'string' ? {} : { isJson: true };
    expect(shownBody(body, { masker, maxHistoryBody: 50 })).toEqual({ body: shown, ...isJson });
  });

  // From long before the cut to long after it, including the end of the masked part.
  it.each([-30, -21, -20, -10, -1, 0, 1, 10, 65_500, 65_530, 65_536, 65_537])(
    'never shows a part of a secret that begins %i characters from the cut',
    (distance) => {
      const max = 100;
      const body = `${'x'.repeat(max + distance)}${secret}${'y'.repeat(200_000)}`;
      const { body: shown = '', isCut } = shownBody(body, { masker, maxHistoryBody: max });
      expect(isCut).toBe(true);
      expect(shown.length).toBeLessThanOrEqual(max);
      for (let length = 1; length < secret.length; length++)
        expect(shown.endsWith(secret.slice(0, length))).toBe(false);
      expect(shown).toMatch(/^x*(\*{0,3}y*)?$/);
    },
  );

  it('never shows a part of a secret behind many others that masking has shortened', () => {
    const body = `${secret} `.repeat(20_000);
    for (const maxHistoryBody of [10, 999, 1000, 1001, 65_536]) {
      const { body: shown = '' } = shownBody(body, { masker, maxHistoryBody });
      expect(shown).toMatch(/^(\*\*\* )*\*{0,3}$/);
    }
  });

  it('shows nothing where nothing is to be shown', () => {
    expect(shownBody('long', { masker, maxHistoryBody: 0 })).toEqual({ body: '', isCut: true });
  });
});
