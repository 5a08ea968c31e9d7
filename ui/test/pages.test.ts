import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPage, startBrowser } from './browser.ts';
import { type Stage, startStage, stories } from './stage.ts';

let stage: Stage;
let browser: Browser;
beforeAll(async () => {
  [stage, browser] = await Promise.all([startStage(), startBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await stage?.close();
});

async function open(path: string): Promise<{ page: Page; complaints: readonly string[] }> {
  const opened = await openPage(browser);
  await opened.page.goto(`${stage.url}/ui/${path}`);
  return opened;
}

describe('attention', () => {
  it('is the first page, and leads to each group with its filter', async () => {
    const { page, complaints } = await open('');
    await page.waitForURL('**/ui/attention');
    const corrupted = page.getByRole('region', { name: /CORRUPTED/ });
    await corrupted.getByText('ledger_locked').waitFor();
    expect(await page.title()).toBe('Attention · Trama');
    await page
      .getByRole('region', { name: /failed in the last hour/ })
      .getByRole('row', { name: /travel-booking/ })
      .getByRole('link', { name: 'List' })
      .click();
    await page.waitForURL(
      '**/executions?status=FAILED&name=travel-booking&version=2&failedNodeId=charge&reason=status_4xx',
    );
    await page.getByText('1 run', { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('retries what is CORRUPTED only after a count', async () => {
    const id = await stage.start(stories.corrupted(stage.downstream.url));
    await stage.until(id, 'CORRUPTED');
    const { page, complaints } = await open('attention');
    await page.getByRole('button', { name: 'Retry their undos…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Retry runs' });
    await dialog.getByText('2 runs match').waitFor();
    await dialog.getByRole('button', { name: 'Retry 2 runs' }).click();
    await dialog.getByText('2 runs changed').waitFor();
    await Promise.all([stage.until(id, 'CORRUPTED'), stage.until(stage.ids.corrupted, 'CORRUPTED')]);
    expect(await stage.ask('GET', `/workflows/${id}/audit`)).toEqual([
      expect.objectContaining({ action: 'execution.retry' }),
    ]);
    expect(complaints).toEqual([]);
  });

  it('does not move what is shown: what is new waits behind a button', async () => {
    const { page } = await open('attention');
    const failed = page.getByRole('region', { name: /failed in the last hour/ });
    const count = failed.locator('.need-count');
    const before = await count.textContent();
    const id = await stage.start(stories.compensated(stage.downstream.url));
    await stage.until(id, 'FAILED');
    await page.getByText('Changed since').waitFor();
    expect(await count.textContent()).toBe(before);
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText('Changed since').waitFor({ state: 'detached' });
    expect(await count.textContent()).toBe(String(Number(before) + 1));
  });
});

describe('definitions', () => {
  it('are shown as a graph and as text, and run by a form that keeps digits', async () => {
    const ok = `${stage.downstream.url}/ok`;
    await stage.ask('POST', '/workflows/definitions', {
      name: 'payout',
      version: '4',
      requiredPayload: ['account', 'amount'],
      steps: [
        {
          name: 'pay',
          up: { verb: 'POST', url: ok, body: { to: '{{payload.account}}', amount: '{{payload.amount}}' } },
        },
      ],
    });
    const { page, complaints } = await open('definitions');
    await page.getByRole('link', { name: 'payout', exact: true }).click();
    await page.waitForURL('**/definitions/payout/4');
    await page.locator('.react-flow__node[data-id="pay"]').waitFor();
    await page.getByRole('button', { name: 'Text' }).click();
    await page.getByText('"requiredPayload"').waitFor();
    const payload = page.getByLabel(/^Payload/);
    expect(JSON.parse(await payload.inputValue())).toEqual({ account: '', amount: '' });
    const run = page.getByRole('button', { name: 'Run version 4' });
    await payload.fill('{"account": 12345678901234567890,}');
    await page.getByText(/a comma stands before/).waitFor();
    expect(await run.isDisabled()).toBe(true);
    await payload.fill('{"account": 12345678901234567890}');
    await page.getByText('amount is required.').waitFor();
    await payload.fill('{"account": 12345678901234567890, "amount": 10.10}');
    await page.getByLabel(/^Labels/).fill('tenant: alpine');
    await run.click();
    await page.getByRole('status').filter({ hasText: 'Started' }).getByRole('link').click();
    await page.waitForURL('**/executions/*');
    const id = new URL(page.url()).pathname.split('/').at(-1)!;
    await stage.until(id, 'SUCCEEDED');
    expect(stage.downstream.received.at(-1)!.body).toBe('{"to":12345678901234567890,"amount":10.10}');
    expect((await stage.ask('GET', `/workflows/${id}`)).labels).toEqual({ tenant: 'alpine' });
    expect(complaints).toEqual([]);
  });
});

describe('holds', () => {
  it('are placed and lifted by dialogs that say what they send', async () => {
    const { page, complaints } = await open('holds');
    await page.getByRole('button', { name: 'Hold a host or a definition…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(/^Host/).fill('erp.example:8443');
    const place = dialog.getByRole('button', { name: 'Hold erp.example:8443' });
    expect(await place.isDisabled()).toBe(true);
    await dialog.getByLabel(/^Reason/).fill('Month end.');
    await dialog.getByText('PUT /holds/ui-erp.example-8443').waitFor();
    await place.click();
    const hold = page.getByRole('listitem').filter({ hasText: 'erp.example:8443' });
    await hold.waitFor();
    expect(await stage.ask('GET', '/holds/ui-erp.example-8443')).toMatchObject({
      host: 'erp.example:8443',
      reason: 'Month end.',
    });
    await hold.getByRole('button', { name: 'Lift…' }).click();
    await page.getByRole('button', { name: 'Lift the hold' }).click();
    await hold.waitFor({ state: 'detached' });
    await expect(stage.ask('GET', '/holds/ui-erp.example-8443')).rejects.toThrow('404');
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Audit' }).click();
    await page
      .getByRole('row', { name: /hold\.delete/ })
      .first()
      .waitFor();
    await page.getByLabel('What', { exact: true }).fill('hold.put');
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.waitForURL('**/audit?action=hold.put');
    await page.getByRole('row', { name: /hold\.delete/ }).waitFor({ state: 'detached' });
    expect(complaints).toEqual([]);
  });
});

describe('settings', () => {
  it('hold for all pages and after a reload: colours, zone, and single keys', async () => {
    const { page, complaints } = await open('settings');
    const background = (): Promise<unknown> => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await background();
    await page.getByRole('button', { name: 'Dark' }).click();
    expect(await background()).not.toBe(light);
    await page.getByRole('group', { name: 'Times' }).getByRole('button', { name: 'Local' }).click();
    await page.getByRole('button', { name: 'Off' }).click();
    await page.reload();
    expect(await background()).not.toBe(light);
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Executions' }).click();
    await page.getByRole('columnheader', { name: 'Started, local' }).waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('Control+k');
    await page.getByRole('dialog', { name: 'Search' }).waitFor();
    expect(await page.locator('.runs-row.is-shown').count()).toBe(0);
    // One switch for all times, on every page.
    await page.keyboard.press('Escape');
    await page.getByRole('group', { name: 'Time zone' }).getByRole('button', { name: 'UTC' }).click();
    await page.getByRole('columnheader', { name: 'Started, UTC' }).waitFor();
    expect(complaints).toEqual([]);
  });
});
