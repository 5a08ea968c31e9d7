import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorRegistry } from './error-registry.ts';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

describe('docs/errors.md', () => {
  it('lists every code as it is, and no other', () => {
    const listed = [...page.matchAll(/^\| `(\w+)` +\| (\d+) +\| (yes|no) +\| (.+?) +\| .+\|$/gm)].map(
      ([, code, status, retryable, meaning]) => [
        code,
        { status: Number(status), retryable: retryable === 'yes', meaning },
      ],
    );
    expect(Object.fromEntries(listed)).toEqual(errorRegistry);
    expect(listed).toHaveLength(Object.keys(errorRegistry).length);
  });
});
