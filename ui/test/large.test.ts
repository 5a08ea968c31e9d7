/** Runs and definitions that are large: what the page does stays bounded. */
import type { Browser, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPage, startBrowser } from './browser.ts';
import { type Stage, startStage } from './stage.ts';

let stage: Stage;
let browser: Browser;
beforeAll(async () => {
  [stage, browser] = await Promise.all([startStage(), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await stage?.close();
});

/** Seconds of the main thread's processor time so far. */
async function threadSeconds(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0;
}

async function measured(page: Page, act: () => Promise<unknown>): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const before = await threadSeconds(session);
  await act();
  return (await threadSeconds(session)) - before;
}

describe('a definition of 200 nodes', () => {
  it('is laid out in the worker: the page itself works for less than it takes to notice', async () => {
    const nodes = Array.from({ length: 200 }, (_, index) => ({
      kind: 'sleep',
      id: `n${String(index)}`,
      duration: 'P1D',
      ...(index < 199 && { next: `n${String(index + 1)}` }),
    }));
    await stage.ask('POST', '/workflows/definitions', { name: 'long', version: '1', entrypoint: 'n0', nodes });
    const { page, complaints } = await openPage(browser);
    await page.goto(`${stage.url}/ui/definitions`);
    await page.getByRole('link', { name: 'long', exact: true }).waitFor();
    const seconds = await measured(page, async () => {
      await page.getByRole('link', { name: 'long', exact: true }).click();
      await page.locator('.react-flow__node[data-id="n199"]').waitFor({ state: 'attached' });
    });
    expect(await page.locator('.react-flow__node').count()).toBe(200);
    // Measured: 0.25 s on two cores that were busy with other work.
    expect(seconds).toBeLessThan(1);
    expect(complaints).toEqual([]);
  });
});

describe('a loop of 300 visits', () => {
  it('is one node and one lane, and its latest attempt is shown', async () => {
    const ok = `${stage.downstream.url}/ok`;
    const id = await stage.start({
      definition: {
        name: 'loop',
        version: '1',
        entrypoint: 'each',
        nodes: [
          { kind: 'forEach', id: 'each', items: '{{payload.list}}', entry: 'pay', maxConcurrency: 16 },
          { kind: 'task', id: 'pay', action: { mode: 'sync', request: { url: ok, verb: 'POST' } } },
        ],
      },
      payload: { list: Array.from({ length: 300 }, (_, index) => index) },
    });
    await stage.until(id, 'SUCCEEDED');
    const { page, complaints } = await openPage(browser);
    const bytes: number[] = [];
    page.on('response', (response) => {
      if (response.status() === 200 && response.url().includes('/workflows/'))
        void response.body().then((body) => bytes.push(body.length));
    });
    await page.goto(`${stage.url}/ui/executions/${id}`);
    await page.locator('.react-flow__node[data-id="pay"] .visits').getByText('×300').waitFor();
    await page.getByRole('region', { name: 'Attempt' }).getByText('visit 300').waitFor();
    expect(await page.locator('.tl-name').count()).toBe(1);
    // No bodies but those of the attempt that is shown.
    expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(400_000);
    expect(complaints).toEqual([]);
  });
});

describe('a payload of a megabyte', () => {
  it('is asked for by its tab alone, and shown as text on demand', async () => {
    const id = await stage.start({
      definition: {
        name: 'heavy',
        version: '1',
        entrypoint: 'w',
        nodes: [{ kind: 'sleep', id: 'w', duration: 'P1D' }],
      },
      payload: { text: 'x'.repeat(900_000) },
    });
    const { page, complaints } = await openPage(browser);
    let most = 0;
    page.on('response', (response) => {
      if (response.status() !== 200 || !response.url().includes('/workflows/')) return;
      void response.body().then(({ length }) => {
        most = Math.max(most, length);
      });
    });
    await page.goto(`${stage.url}/ui/executions/${id}`);
    await page.getByRole('region', { name: 'What stands' }).waitFor();
    await page.locator('.react-flow__node').first().waitFor();
    expect(most).toBeLessThan(20_000);
    await page.getByRole('link', { name: 'Payload', exact: true }).click();
    await page.getByText('879 KiB, not shown').waitFor();
    await page.getByRole('button', { name: 'Show as text' }).click();
    await page.getByText('xxxxxxxxxx').first().waitFor();
    expect(complaints).toEqual([]);
  });
});
