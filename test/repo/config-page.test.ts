import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configPage, configPagePath } from '../../scripts/config-page.ts';
import { environmentName, keys } from '../../src/config/registry.ts';
import { root } from './source-files.ts';

it('the configuration reference is current (renew it with node scripts/config-page.ts)', () => {
  expect(readFileSync(join(root, configPagePath), 'utf8')).toBe(configPage());
});

it('every key has an environment variable of its own', () => {
  const names = keys.map((key) => environmentName(key.path));
  expect(names.length).toBeGreaterThan(50);
  expect(new Set(names).size).toBe(names.length);
});
