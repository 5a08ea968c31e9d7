/** Alerts and recording rules, judged by Prometheus' own tool. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { documentedQueries } from '../repo/documented-queries.ts';
import { programPath } from '../servers/provision.ts';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '../../deploy/prometheus');

/** What promtool says; rejects with it where it finds something. */
async function promtool(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(programPath('promtool'), args, { cwd: folder });
  return stdout + stderr;
}

it('the rules are valid', async () => {
  expect(await promtool('check', 'rules', '--lint=all', '--lint-fatal', 'rules.yaml')).toContain('SUCCESS');
});

it('every alert fires when it should, and does not when it should not', async () => {
  expect(await promtool('test', 'rules', 'rules.test.yaml', 'rules.long.test.yaml')).not.toContain('FAILED');
});

it('the queries of the documents can be asked', async () => {
  const rules = documentedQueries.map(({ query }, i) => ({ record: `documented:${String(i)}`, expr: query }));
  expect(rules.length).toBeGreaterThan(40);
  const etc = await mkdtemp(join(tmpdir(), 'trama-prometheus-'));
  onTestFinished(() => rm(etc, { recursive: true }));
  await writeFile(join(etc, 'queries.yaml'), stringify({ groups: [{ name: 'documented', rules }] }));
  expect(await promtool('check', 'rules', '--lint=none', join(etc, 'queries.yaml'))).toContain('SUCCESS');
});

it('the configuration of the sample cluster is valid, with the rules beside it', async () => {
  const etc = await mkdtemp(join(tmpdir(), 'trama-prometheus-'));
  onTestFinished(() => rm(etc, { recursive: true }));
  await cp(join(folder, 'rules.yaml'), join(etc, 'rules.yaml'));
  await cp(join(folder, '../compose/config/prometheus.yaml'), join(etc, 'prometheus.yml'));
  expect(await promtool('check', 'config', join(etc, 'prometheus.yml'))).toContain('SUCCESS');
});
