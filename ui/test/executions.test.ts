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

const rows = (page: Page) => page.locator('.runs-row');

describe('the list of executions', () => {
  it('shows each run with its status in words, and one link', async () => {
    const { page, complaints } = await open('executions');
    await rows(page).first().waitFor();
    const words = await rows(page).locator('.status').allTextContents();
    for (const word of ['SUCCEEDED', 'FAILED', 'CORRUPTED', 'SLEEPING', 'WAITING_CALLBACK', 'IN_PROGRESS']) {
      expect(words).toContain(word);
    }
    expect(await rows(page).getByRole('link').count()).toBe(words.length);
    const link = rows(page).filter({ hasText: 'CORRUPTED' }).getByRole('link');
    expect(await link.textContent()).toBe(stage.ids.corrupted.slice(-8));
    expect(await link.getAttribute('href')).toBe(`/ui/executions/${stage.ids.corrupted}`);
    expect(complaints).toEqual([]);
  });

  it('has its filter in the address, and keeps it when one goes back', async () => {
    const { page, complaints } = await open('executions');
    await page.getByRole('button', { name: 'status', exact: true }).click();
    await page.getByRole('button', { name: 'FAILED', exact: true }).click();
    await page.waitForURL('**/executions?status=FAILED');
    await rows(page).filter({ hasText: 'CORRUPTED' }).waitFor({ state: 'detached' });
    await page.getByText('1 run', { exact: true }).waitFor();
    expect(await rows(page).count()).toBe(1);
    await page.getByRole('button', { name: 'definition', exact: true }).click();
    await page.getByLabel('definition', { exact: true }).fill('travel-booking');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/executions?status=FAILED&name=travel-booking');
    await rows(page).getByRole('link').click();
    await page.waitForURL(`**/executions/${stage.ids.compensated}`);
    await page.goBack();
    await page.waitForURL('**/executions?status=FAILED&name=travel-booking');
    expect(await page.getByRole('group', { name: 'Filter' }).locator('.chip:not(.add)').count()).toBe(2);
    await page.getByRole('button', { name: 'Remove status FAILED' }).click();
    await page.waitForURL('**/executions?name=travel-booking');
    await rows(page).filter({ hasText: 'CORRUPTED' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('tells what a filter of another server is refused for, and stays', async () => {
    const { page } = await open('executions?mood=bad');
    await page.getByRole('alert').filter({ hasText: 'The server answered 400.' }).waitFor();
    expect(await page.getByRole('button', { name: 'Remove mood bad' }).count()).toBe(1);
  });

  it('shows a preview with the request and the answer that failed', async () => {
    const { page, complaints } = await open('executions');
    await rows(page).filter({ hasText: 'CORRUPTED' }).locator('.c-status').click();
    const preview = page.getByRole('complementary', { name: 'Preview' });
    await preview.getByText('ledger_locked').waitFor();
    expect(await preview.getByRole('region', { name: 'What stands' }).textContent()).toContain('2 effects stand');
    expect(new URL(page.url()).searchParams.get('run')).toBe(stage.ids.corrupted);
    await preview.getByRole('button', { name: 'Close the preview' }).click();
    await preview.waitFor({ state: 'detached' });
    expect(complaints).toEqual([]);
  });

  it('goes by keyboard alone: j, k and Enter', async () => {
    const { page } = await open('executions');
    await rows(page).first().waitFor();
    await page.keyboard.press('j');
    await page.locator('.runs-row.is-shown').waitFor();
    const first = await page.locator('.runs-row.is-shown').getAttribute('aria-rowindex');
    await page.keyboard.press('j');
    await page.locator('.runs-row.is-shown[aria-rowindex="3"]').waitFor();
    await page.keyboard.press('k');
    await page.locator('.runs-row.is-shown[aria-rowindex="2"]').waitFor();
    expect(first).toBe('2');
    await page.keyboard.press('Enter');
    await page.getByRole('navigation', { name: 'Parts of the run' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('finds a run by the search', async () => {
    const { page } = await open('attention');
    await page.getByRole('heading', { name: 'What needs a person' }).waitFor();
    await page.keyboard.press('/');
    await page.getByRole('dialog', { name: 'Search' }).getByRole('textbox').fill(stage.ids.waiting);
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/executions/${stage.ids.waiting}`);
  });
});

describe('a list that grows', () => {
  it('counts what is new and moves nothing until it is asked to', async () => {
    const { page, complaints } = await open('executions?name=grows');
    await page.getByText('No run matches.').waitFor();
    const story = stories.success(stage.downstream.url);
    const grows = { ...story, definition: { ...story.definition, name: 'grows' } };
    await stage.start(grows);
    await page.reload();
    await rows(page).first().waitFor();
    for (let i = 0; i < 3; i++) await stage.start(grows);
    const banner = page.getByRole('button', { name: '3 new, show them' });
    await banner.waitFor();
    expect(await rows(page).count()).toBe(1);
    await banner.click();
    await rows(page).nth(3).waitFor();
    await banner.waitFor({ state: 'detached' });
    expect(complaints).toEqual([]);
  });

  it('has at most 60 rows in the page, and reads on while one scrolls', async () => {
    const count = 250;
    const sleeper = {
      definition: {
        name: 'many',
        version: '1',
        entrypoint: 'wait',
        nodes: [{ kind: 'sleep', id: 'wait', duration: 'P1D' }],
      },
    };
    for (let at = 0; at < count; at += 25) {
      await Promise.all(Array.from({ length: 25 }, () => stage.start(sleeper)));
    }
    const { page, complaints } = await open('executions?name=many');
    await rows(page).first().waitFor();
    const table = page.getByRole('table', { name: 'Executions' });
    for (;;) {
      await table.evaluate((element) => {
        element.scrollTop = element.scrollHeight;
      });
      expect(await rows(page).count()).toBeLessThanOrEqual(60);
      if ((await table.getAttribute('aria-rowcount')) === String(count + 1)) break;
      await page.waitForTimeout(30);
    }
    await page.getByText(`${String(count)} runs`, { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('changes many runs only after it has said how many', async () => {
    const { page, complaints } = await open('executions?name=many');
    await rows(page).first().getByRole('checkbox').check();
    await page.getByRole('button', { name: 'or all that match the filter' }).click();
    await page.getByRole('button', { name: 'Cancel all…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Cancel runs' });
    await dialog.getByText('250 runs match').waitFor();
    expect(await stage.ask('GET', '/workflows?name=many&status=CANCELLED&limit=1')).toEqual([]);
    await dialog.getByRole('button', { name: 'Cancel 250 runs' }).click();
    await dialog.getByText('250 runs changed').waitFor();
    expect(complaints).toEqual([]);
  });
});
