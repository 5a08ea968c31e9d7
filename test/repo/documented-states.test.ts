/** Words of the server that the documents list are all of those that it has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './source-files.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The texts of a union type in a source file. */
function choicesOf(path: string, type: string): readonly string[] {
  const body = new RegExp(`type ${type} =([^;]*);`).exec(read(path))?.[1] ?? '';
  return [...body.matchAll(/'([a-z_]+)'/g)].map(([, word = '']) => word);
}

describe('why a process is not ready', () => {
  const reasons = [
    ...choicesOf('src/engine/engine-state.ts', 'UnreadyReason'),
    ...choicesOf('src/ports/queue.ts', 'QueueTrouble'),
  ];

  it.each(['docs/guide/http-api.md', 'docs/errors.md'])('is listed in %s', (path) => {
    expect(reasons.length).toBeGreaterThan(6);
    const text = read(path);
    expect(reasons.filter((reason) => !text.includes(`\`${reason}\``))).toEqual([]);
  });

  it('is marked where it counts for the API', () => {
    const rows = [...read('docs/guide/http-api.md').matchAll(/^\| `([a-z_]+)` \| [^|]+ \| (counts)? ?\|$/gm)];
    const counting = rows.filter(([, , counts]) => counts !== undefined).map(([, reason = '']) => reason);
    const workers = /const workerReasons[^[]*\[([^\]]*)\]/.exec(read('src/compose/health.ts'))?.[1] ?? '';
    expect(counting.toSorted()).toEqual(reasons.filter((reason) => !workers.includes(`'${reason}'`)).toSorted());
  });
});

it('every cause of a blocked call is among the label values', () => {
  const causes = choicesOf('src/core/state.ts', 'BlockCause');
  const row = /^\| `saga_blocked_calls` \| `cause` \| (.*) \|$/m.exec(read('docs/operating/metrics.md'))?.[1] ?? '';
  expect(causes.length).toBeGreaterThan(2);
  expect(causes.filter((cause) => !row.includes(`\`${cause}\``))).toEqual([]);
});

it('every flag of the mock is in its table, with what it does where it is left out', () => {
  const page = read('docs/guide/command-line.md').split('\n## mock\n')[1]?.split('\n## ')[0] ?? '';
  const flags = [...read('src/cli/commands/mock.ts').matchAll(/'(--[a-z-]+)(?: <[^>]+>)?'/g)].map(
    ([, flag = '']) => flag,
  );
  expect(flags.length).toBeGreaterThan(8);
  expect(flags.filter((flag) => !new RegExp(`^\\| \`${flag}[ \`]`, 'm').test(page))).toEqual([]);
  expect(page).toMatch(/`--port <port>` \| the port that the URLs of the definition name/);
});
