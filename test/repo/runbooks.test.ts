import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { environmentName, findKey, keys, sectionOf } from '../../src/config/registry.ts';
import { root } from './source-files.ts';

const folder = join(root, 'docs/operating/runbooks');
const pages = readdirSync(folder)
  .filter((name) => name.endsWith('.md') && name !== 'README.md')
  .map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);

const subjects = [
  'redis-outage',
  'redis-data-loss',
  'postgres-outage',
  'membership',
  'queue-pressure',
  'failure-ratio',
  'stuck-or-corrupted',
  'bad-definition',
  'failing-downstream',
  'hooks',
  'callback-key-rotation',
  'latency',
  'pod-trouble',
  'rolling-upgrade',
  'scaling',
  'restore',
];

it('there is a runbook for each kind of trouble, and the overview leads to it', () => {
  expect(pages.map(([name]) => name.replace('.md', '')).toSorted()).toEqual(subjects.toSorted());
  const overview = readFileSync(join(folder, 'README.md'), 'utf8');
  expect(subjects.filter((name) => !overview.includes(`(${name}.md)`))).toEqual([]);
});

describe.each(pages)('%s', (_name, text) => {
  it('has symptom, check, action and why, in this order', () => {
    const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(['Symptom', 'Check', 'Action', 'Why']);
  });

  it('checks by a command or a query', () => {
    const check = text.split('\n## Check\n')[1]?.split('\n## ')[0] ?? '';
    expect(check).toMatch(/^```(?:sh|promql)$/m);
  });

  it('names only settings that exist', () => {
    const sections = new Set(keys.map(({ path }) => sectionOf(path)));
    const named = [...text.matchAll(/`([a-zA-Z]+(?:\.[a-zA-Z]+)+)`/g)].map(([, path = '']) => path);
    const settings = named.filter((path) => sections.has(sectionOf(path)));
    const isKnown = (path: string): boolean =>
      findKey(path) !== undefined ||
      keys.some((key) => key.path.startsWith(`${path}.`)) ||
      environmentName(path) === path;
    expect(settings.filter((path) => !isKnown(path))).toEqual([]);
  });
});
