/** Every way to start a server has the same settings: the program's own, and the defaults of the configuration. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { expect, it } from 'vitest';
import { defaultWorkers } from '../../bench/pods.ts';
import { defaultEngineSettings } from '../../src/engine/settings.ts';
import { defaultValues, renderManifests } from './chart.ts';
import { repositoryFiles, root } from './source-files.ts';

interface Deployment {
  readonly template: { readonly spec: { readonly containers: readonly object[] } };
}

interface ComposeFile {
  readonly services: Readonly<Record<string, { readonly image: string }>>;
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

it('what V8 and the C library begin with is set by the program alone', () => {
  const setting = /max[-_]semi[-_]space[-_]size|MALLOC_ARENA_MAX/;
  const places = repositoryFiles()
    .filter(({ path, text }) => setting.test(text) && !/\.md$|^test\//.test(path) && !path.endsWith('.test.ts'))
    .map(({ path }) => path)
    .toSorted();
  expect(places).toEqual(['deploy/docker/Dockerfile', 'src/cli/server/heap.ts', 'src/cli/server/process-settings.ts']);
});

it('npm, the first line and the image start the same program, without options of Node', () => {
  const { bin, scripts } = JSON.parse(read('package.json')) as {
    readonly bin: Readonly<Record<string, string>>;
    readonly scripts: Readonly<Record<string, string>>;
  };
  expect(bin).toEqual({ trama: 'dist/cli/main.js' });
  expect(read('src/cli/main.ts').split('\n')[0]).toBe('#!/usr/bin/env node');
  expect([scripts['start'], scripts['demo']].map((script) => script?.split(' && exec ')[1])).toEqual([
    'node dist/cli/main.js serve',
    'node dist/cli/main.js demo',
  ]);
  expect(/^ENTRYPOINT (.*)$/m.exec(read('deploy/docker/Dockerfile'))?.[1]).toBe('["node", "/app/dist/cli/main.js"]');
});

it('the chart and the compose files start what the image starts', () => {
  const containers = renderManifests(defaultValues())
    .filter(({ kind }) => kind === 'Deployment')
    .flatMap(({ spec }) => (spec as unknown as Deployment).template.spec.containers);
  expect(containers).toHaveLength(2);
  const services = repositoryFiles(':(glob)deploy/compose/*.yaml').flatMap(({ text }) =>
    Object.values((parse(text, { merge: true }) as ComposeFile).services).filter(({ image }) =>
      image.startsWith('trama:'),
    ),
  );
  expect(services.length).toBeGreaterThan(3);
  for (const start of [...containers, ...services]) {
    expect(['command', 'entrypoint'].filter((field) => field in start)).toEqual([]);
    expect(start).toMatchObject({ ...('args' in start && { args: ['serve'] }) });
  }
});

it('the chart, the compose files and the benchmarks have the number of workers that is the default', () => {
  expect(defaultWorkers).toBe(256);
  expect(defaultEngineSettings.workerCount).toBe(defaultWorkers);
  expect(defaultValues()['config']).toMatchObject({ runtime: { workerCount: defaultWorkers } });
  const others = repositoryFiles('deploy/*').filter(
    ({ path, text }) => /WORKERCOUNT|MAXCONCURRENCY/i.test(text) && path !== 'deploy/helm/trama/values.yaml',
  );
  expect(others.map(({ path }) => path).filter((path) => !path.endsWith('values.schema.json'))).toEqual([]);
});
