/** The document about the modes of a driver draws the changes that the code allows. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { modeChanges } from '../../src/engine/execution/driver-modes.ts';
import { root } from './source-files.ts';

const section =
  readFileSync(join(root, 'docs/state-machine.md'), 'utf8')
    .split('\n## The driver of an execution\n')[1]
    ?.split('\n## ', 1)[0] ?? '';

it('every change of mode is drawn with its cause, and no other', () => {
  const drawn = [...section.matchAll(/^ {2}(\w+) --> (\w+): (.+)$/gm)].map(([, ...edge]) => edge);
  const allowed = Object.entries(modeChanges).flatMap(([from, changes]) =>
    Object.entries(changes).map(([to, cause]) => [from, to, cause]),
  );
  expect(allowed.length).toBeGreaterThan(10);
  expect(drawn).toEqual(allowed);
});

it('every mode is explained', () => {
  const explained = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, mode]) => mode);
  expect(explained).toEqual(Object.keys(modeChanges));
});
