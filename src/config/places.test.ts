import { expect, it } from 'vitest';
import { loadConfig } from './load.ts';

const load = (text: string): Extract<ReturnType<typeof loadConfig>, { ok: true }> => {
  const loaded = loadConfig({ env: {}, fileText: { text, name: 'trama.yaml' } });
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  return loaded;
};

it.each([
  [1, 1],
  [2, 1],
  [3, 1],
  [4, 2],
  [255, 127],
  [10_000, 5_000],
])('gives one host at most half of %i places', (workerCount, places) => {
  const { config, warnings } = load(`runtime: { workerCount: ${String(workerCount)} }`);
  expect(config.http.perHost.maxConcurrency).toBe(places);
  expect(warnings).toEqual([]);
});

it('leaves the limit of a host as it is configured', () => {
  const { config, warnings } = load('runtime: { workerCount: 8 }\nhttp: { perHost: { maxConcurrency: 7 } }');
  expect(config.http.perHost.maxConcurrency).toBe(7);
  expect(warnings).toEqual([]);
});

it.each([
  [
    'runtime: { workerCount: 8 }\nhttp: { perHost: { maxConcurrency: 8 } }',
    'http.perHost.maxConcurrency (8) is not below runtime.workerCount (8, from file trama.yaml): a host that does not answer can take every place of this process.',
  ],
  [
    'http: { perHost: { overrides: { bank: 255, "shop:81": 256 } } }',
    'http.perHost.overrides gives shop:81 256, not below runtime.workerCount (256, the default): a host that does not answer can take every place of this process.',
  ],
  [
    'runtime: { drainTimeoutMillis: 50_000 }\nhttp: { requestTimeoutMillis: 40_000, maxTimeoutMillis: 30_000 }',
    'http.requestTimeoutMillis (40000) is above http.maxTimeoutMillis (30000, from file trama.yaml): calls end after the latter.',
  ],
])('warns of %j', (text, warning) => {
  expect(load(text).warnings).toEqual([warning]);
});

it('derives the prefetch from the number of workers', () => {
  expect(load('runtime: { workerCount: 8 }').config.runtime.prefetch).toBe(8);
  expect(load('runtime: { workerCount: 8, prefetch: 0 }').config.runtime.prefetch).toBe(0);
});
