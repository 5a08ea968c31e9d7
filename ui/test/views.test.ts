/** Every view, as it is seen: light and dark, wide and on the phone, judged by axe, and kept as pictures for people. */
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPage, startBrowser, takeShot } from './browser.ts';
import { type Proxy, startProxy } from './prefix-proxy.ts';
import { type Stage, startStage } from './stage.ts';

/** A view: where it is, and what is there once it is painted. */
interface View {
  readonly path: (ids: Stage['ids']) => string;
  readonly ready: (page: Page) => Promise<unknown>;
}

const graphReady = (page: Page): Promise<unknown> =>
  page.locator('.react-flow__edge').first().waitFor({ state: 'attached' });
const run = (story: keyof Stage['ids'], after = ''): View => ({
  path: (ids) => `executions/${ids[story]}${after}`,
  ready: async (page) => {
    await page.getByRole('region', { name: 'What stands' }).waitFor();
    await graphReady(page);
  },
});
const text =
  (words: string | RegExp) =>
  (page: Page): Promise<unknown> =>
    page.getByText(words).first().waitFor();

const views: Readonly<Record<string, View>> = {
  attention: { path: () => 'attention', ready: text('ledger_locked') },
  executions: {
    path: (ids) => `executions?run=${ids.corrupted}`,
    ready: async (page) => {
      await page.locator('.runs-row, .preview').first().waitFor();
      await page.getByText('ledger_locked').waitFor();
    },
  },
  'execution-corrupted': run('corrupted'),
  'execution-backoff': run('backoff'),
  'execution-success': run('success'),
  'execution-blocked': run('blocked'),
  'execution-payload': { path: (ids) => `executions/${ids.corrupted}/payload`, ready: text('"T-2048"') },
  'execution-cancel': {
    path: (ids) => `executions/${ids.backoff}`,
    ready: async (page) => {
      await page.getByRole('button', { name: 'Cancel…' }).click();
      await page.getByRole('button', { name: 'Cancel run, send 1 request' }).waitFor();
    },
  },
  definitions: { path: () => 'definitions', ready: text('shipping') },
  definition: {
    path: () => 'definitions/shipping/1',
    ready: (page) => page.locator('.react-flow__node').first().waitFor(),
  },
  operations: { path: () => 'operations', ready: text('No circuit is open.') },
  holds: { path: () => 'holds', ready: text('Bank maintenance until six.') },
  audit: { path: () => 'audit', ready: text('hold.put') },
  settings: { path: () => 'settings', ready: text('Single keys as shortcuts') },
};

let stage: Stage;
let browser: Browser;
let future: Proxy;
beforeAll(async () => {
  [stage, browser] = await Promise.all([startStage(), startBrowser()]);
  future = await startProxy({ target: stage.url, change: ofTheFuture });
});
afterAll(async () => {
  await browser?.close();
  await future?.close();
  await stage?.close();
});

/** Fields whose values are words of the engine. */
const enumerations = /"(status|state|phase|outcome|reason|kind|cause|action|verb|requestVerb|code)":"[A-Za-z_\d]+"/g;

/** An answer as a server of the future may give it: every word of an enumeration is unknown. */
function ofTheFuture(json: string): string {
  return json.replaceAll(enumerations, '"$1":"FUTURE_VALUE"');
}

/** What axe finds to be serious or worse, as `rule: element`. */
async function seriousFaults(page: Page): Promise<readonly string[]> {
  // The page's policy forbids scripts of others; the protocol of the debugger does not ask it.
  await page.evaluate(axe.source);
  return await page.evaluate<string[]>(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html, any }) => id + ': ' + html.slice(0, 160) + ' ' + (any[0]?.message ?? ''))))`,
  );
}

describe.each(['light', 'dark'] as const)('in %s colours', (colorScheme) => {
  it.each(Object.entries(views))('%s has nothing that axe finds serious', async (name, { path, ready }) => {
    const { page, complaints } = await openPage(browser, { colorScheme });
    await page.goto(`${stage.url}/ui/${path(stage.ids)}`);
    await ready(page);
    await takeShot(page, `${name}-${colorScheme}`);
    expect(await seriousFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});

describe('on the phone', () => {
  const names = ['attention', 'executions', 'execution-corrupted', 'execution-cancel'];
  it.each(names)('%s fits, and whatever is pressed is large enough', async (name) => {
    const { path, ready } = views[name]!;
    const { page, complaints } = await openPage(browser, { viewport: { width: 390, height: 844 }, hasTouch: true });
    await page.goto(`${stage.url}/ui/${path(stage.ids)}`);
    await ready(page);
    await takeShot(page, `${name}-phone`);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    const nav = await page.getByRole('navigation', { name: 'Pages', includeHidden: true }).boundingBox();
    expect(nav?.height).toBeGreaterThanOrEqual(44);
    expect(await seriousFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});

describe('with words that it does not know', () => {
  const names = Object.keys(views).filter((name) => name !== 'execution-cancel');
  it.each(names)('%s stays a page', async (name) => {
    const { page, complaints } = await openPage(browser);
    await page.goto(`${future.url}/ui/${views[name]!.path(stage.ids)}`);
    await page.getByRole('heading', { level: 1 }).first().waitFor();
    await page.waitForLoadState('networkidle', { timeout: 2000 }).catch(() => undefined);
    expect(await page.getByText('This page broke.').count()).toBe(0);
    if (name.startsWith('execution')) expect(await page.getByText('FUTURE_VALUE').count()).toBeGreaterThan(0);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
