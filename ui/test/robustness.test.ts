import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { acceptedLicences } from '../../scripts/licences.ts';
import { bundledNames } from '../../scripts/lockfile-packages.ts';
import { openPage, startBrowser } from './browser.ts';
import { startProxy } from './prefix-proxy.ts';
import { type Stage, startStage } from './stage.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser?.close());

async function stageOf(...args: string[]): Promise<Stage> {
  const stage = await startStage(args);
  onTestFinished(() => stage.close());
  return stage;
}

describe('a path prefix', () => {
  it.each([
    ['that the proxy removes', true, []],
    ['that the proxy keeps', false, ['--set', 'server.basePath=/a/b']],
  ] as const)('%s: every kind of page is opened cold', async (_name, strips, args) => {
    const stage = await stageOf(...args);
    const proxy = await startProxy({ target: stage.url, prefix: '/a/b', strips });
    onTestFinished(() => proxy.close());
    const { page, complaints } = await openPage(browser);
    await page.goto(`${proxy.url}/ui`);
    await page.getByRole('heading', { name: 'What needs a person' }).waitFor();
    expect(page.url()).toBe(`${proxy.url}/ui/attention`);
    await page.getByRole('link', { name: 'Executions' }).click();
    await page.locator('.runs-row').filter({ hasText: 'CORRUPTED' }).getByRole('link').click();
    await page.locator('.react-flow__node').first().waitFor();
    await page.goto(`${proxy.url}/ui/executions/${stage.ids.corrupted}/nodes/charge/1.1`);
    await page.getByRole('region', { name: 'Attempt' }).getByText('ledger_locked').waitFor();
    expect(complaints).toEqual([]);
  });
});

describe('a server that asks for credentials', () => {
  it('is signed in to over the page, by an API key that only this tab keeps', async () => {
    const key = 'a-key-for-the-tests-of-the-user-interface';
    const sha256 = createHash('sha256').update(key).digest('hex');
    const apiKeys = JSON.stringify([{ id: 'ada', sha256, roles: ['admin'] }]);
    const stage = await startStage(
      ['--set', 'security.auth.enabled=true', '--set', `security.auth.apiKeys=${apiKeys}`],
      key,
    );
    onTestFinished(() => stage.close());
    const { page, complaints } = await openPage(browser);
    await page.goto(`${stage.url}/ui/executions/${stage.ids.corrupted}`);
    const dialog = page.getByRole('dialog', { name: 'Sign in' });
    await dialog.getByLabel('API key').fill('wrong');
    await dialog.getByRole('button', { name: 'Sign in' }).click();
    await dialog.getByText('The server does not know this key.').waitFor();
    await dialog.getByLabel('API key').fill(key);
    await dialog.getByRole('button', { name: 'Sign in' }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('region', { name: 'Attempt' }).getByText('ledger_locked').waitFor();
    expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain(key);
    await page.reload();
    await page.getByRole('region', { name: 'Attempt' }).getByText('ledger_locked').waitFor();
    expect(complaints).toEqual([]);
  });
});

describe('a server that goes away', () => {
  it('leaves the data on the page, says since when, and is noticed when it is back', async () => {
    const stage = await stageOf();
    let isAway = false;
    const { page } = await openPage(browser);
    await page.route('**/workflows**', (route) => (isAway ? route.abort() : route.continue()));
    await page.goto(`${stage.url}/ui/executions`);
    await page.locator('.runs-row').first().waitFor();
    isAway = true;
    await page.getByRole('alert').filter({ hasText: 'Connection lost, as of' }).waitFor();
    expect(await page.locator('.runs-row').count()).toBeGreaterThan(5);
    isAway = false;
    await page.getByRole('alert').waitFor({ state: 'detached' });
  });
});

describe('what is shipped', () => {
  const folder = join(import.meta.dirname, '../../dist/ui/assets');
  const kilobytes = (pattern: RegExp): number =>
    readdirSync(folder)
      .filter((name) => pattern.test(name))
      .reduce((sum, name) => sum + readFileSync(join(folder, name)).length, 0) / 1000;

  it('is small: the page, the graph, and no part over 300 kB', () => {
    // The page names everything that it loads at once; a run also loads the graph and its worker.
    const page = readFileSync(join(folder, '../index.html'), 'utf8');
    const named = [...page.matchAll(/"\.\/assets\/([^"]+\.(?:js|css))"/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(2);
    const initial = named.reduce((sum, name) => sum + readFileSync(join(folder, `${name}.br`)).length, 0);
    expect(initial / 1000).toBeLessThan(220);
    expect(kilobytes(/^run-graph-.*\.(?:js|css)\.br$/)).toBeLessThan(90);
    for (const name of readdirSync(folder).filter((each) => each.endsWith('.br'))) {
      expect(readFileSync(join(folder, name)).length / 1000).toBeLessThan(300);
    }
  });

  it('is made of packages whose licences may be shipped', () => {
    const bundled = JSON.parse(readFileSync(join(folder, '../licences.json'), 'utf8')) as {
      readonly name: string;
      readonly identifier: string | null;
      readonly text?: string;
    }[];
    const names = new Set(bundled.map(({ name }) => name));
    expect(names).toEqual(bundledNames(join(import.meta.dirname, '../..')));
    expect(names).toContain('react');
    expect(bundled.filter(({ text = '' }) => text === '').map(({ name }) => name)).toEqual([]);
    const refused = bundled.filter(({ identifier }) => !acceptedLicences.has(identifier ?? ''));
    expect(refused.map(({ name, identifier }) => `${name}: ${String(identifier)}`)).toEqual([]);
  });

  it('loads nothing from anywhere else', async () => {
    const stage = await stageOf();
    const { page } = await openPage(browser);
    const foreign: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(stage.url)) foreign.push(request.url());
    });
    await page.goto(`${stage.url}/ui/executions/${stage.ids.corrupted}`);
    await page.locator('.react-flow__node').first().waitFor();
    expect(foreign).toEqual([]);
  });
});
