import { readFile } from 'node:fs/promises';
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
  const opened = await openPage(browser, { permissions: ['clipboard-read', 'clipboard-write'] });
  await opened.page.goto(`${stage.url}/ui/executions/${path}`);
  return opened;
}

const stands = (page: Page) => page.getByRole('region', { name: 'What stands' });
const graph = (page: Page) => page.getByRole('region', { name: 'Graph' });
const attempt = (page: Page) => page.getByRole('region', { name: 'Attempt' });

describe('a run that is over', () => {
  it('says why, shows the failing call and its undo, and what stands', async () => {
    const { page, complaints } = await open(stage.ids.corrupted);
    await page.getByRole('heading', { level: 1, name: /charge/ }).waitFor();
    await attempt(page).getByText('ledger_locked').waitFor();
    expect(await attempt(page).getByText('other side closed').count()).toBeGreaterThan(0);
    expect(await stands(page).textContent()).toContain('charge: unknown');
    // The node says in words what it shows in colour.
    const node = graph(page).locator('.react-flow__node[data-id="charge"]');
    expect(await node.getAttribute('aria-label')).toMatch(
      /^charge, task, .*, unknown, 2 attempts, undo 1 failed, stands, unknown$/,
    );
    expect(await graph(page).locator('.react-flow__node[data-id="invoice"]').getAttribute('aria-label')).toContain(
      'not reached',
    );
    const way = page.getByRole('region', { name: 'The way back', exact: true });
    expect(await way.getByRole('listitem').allTextContents()).toEqual([
      expect.stringContaining('1charge'),
      expect.stringMatching(/^2(?:hotel|flight)/),
      expect.stringMatching(/^3(?:hotel|flight)/),
    ]);
    expect(complaints).toEqual([]);
  });

  it('selects by the graph, the timeline and the address alike', async () => {
    const { page, complaints } = await open(stage.ids.corrupted);
    await graph(page).locator('.react-flow__node[data-id="hotel"]').click();
    await page.waitForURL('**/nodes/hotel');
    await attempt(page).getByRole('heading', { name: 'hotel' }).waitFor();
    await page
      .getByRole('region', { name: 'Timeline' })
      .getByRole('button', { name: /^charge, attempt 1: unknown/ })
      .click();
    await page.waitForURL('**/calls/*');
    await attempt(page).getByText('attempt 1 of 2').waitFor();
    await page.keyboard.press(']');
    await attempt(page).getByText('attempt 2 of 2').waitFor();
    const address = page.url();
    await page.keyboard.press('g');
    await page.keyboard.press('f');
    await page.waitForURL('**/calls/*');
    // An address that is opened cold shows the same.
    await page.goto(address);
    await attempt(page).getByText('attempt 2 of 2').waitFor();
    expect(complaints).toEqual([]);
  });

  it('keeps every digit of a number, and copies a call as curl', async () => {
    const { page, complaints } = await open(`${stage.ids.success}/nodes/charge`);
    await attempt(page).getByText('12345678901234567890').waitFor();
    expect(await attempt(page).getByText('1284.00').count()).toBe(1);
    await attempt(page).getByRole('button', { name: 'curl' }).click();
    await attempt(page).getByText('copied').waitFor();
    const copied = await page.evaluate('navigator.clipboard.readText()');
    expect(copied).toMatch(/^curl -X POST 'http:\/\/127\.0\.0\.1:\d+\/numbers' \\\n {2}-H 'idempotency-key: /);
    expect(complaints).toEqual([]);
  });

  it('goes into a ticket as Markdown, and into a file', async () => {
    const { page, complaints } = await open(stage.ids.corrupted);
    await attempt(page).getByText('ledger_locked').waitFor();
    await page.getByRole('button', { name: 'Copy as Markdown' }).click();
    await page.getByText('copied').first().waitFor();
    const copied = await page.evaluate('navigator.clipboard.readText()');
    expect(copied).toContain(`**CORRUPTED** travel-booking 3, \`${stage.ids.corrupted}\``);
    expect(copied).toMatch(/\| undo of charge \| 1\.2 \| rejected \| 500 \|/);
    expect(copied).toContain('- stands: quote (succeeded), charge (unknown)');
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save as file' }).click(),
    ]);
    expect(file.suggestedFilename()).toBe(`travel-booking-${stage.ids.corrupted}.json`);
    const saved = JSON.parse(await readFile(await file.path(), 'utf8'));
    expect(Object.keys(saved)).toEqual(['format', 'status', 'definition', 'steps', 'calls', 'timeline']);
    expect([saved.status.id, saved.definition.name, saved.calls.length]).toEqual([
      stage.ids.corrupted,
      'travel-booking',
      9,
    ]);
    expect(complaints).toEqual([]);
  });

  it('has an address for payload, definition, children and audit', async () => {
    const { page, complaints } = await open(`${stage.ids.family}/children`);
    await page
      .getByRole('row', { name: /shipping/ })
      .getByRole('link')
      .click();
    await page
      .getByRole('link', { name: /^[\da-f]{8}$/ })
      .filter({ hasText: stage.ids.family.slice(-8) })
      .waitFor();
    await page.goto(`${stage.url}/ui/executions/${stage.ids.corrupted}/payload`);
    await page.getByText('"T-2048"').waitFor();
    await page.getByRole('link', { name: 'Definition', exact: true }).click();
    await page.waitForURL('**/definition');
    await page.getByText('"compensationHandling"').waitFor();
    await page
      .getByRole('navigation', { name: 'Parts of the run' })
      .getByRole('link', { name: /^Audit/ })
      .click();
    await page.getByText('Nobody has changed this run.').waitFor();
    expect(complaints).toEqual([]);
  });

  it('loops over items as one node with its visits', async () => {
    const { page } = await open(stage.ids.items);
    const node = graph(page).locator('.react-flow__node[data-id="pay"]');
    await node.getByText('×4').waitFor();
    expect(await graph(page).getByText('for each item of each').count()).toBe(1);
  });

  it('is not found where it does not exist, within the frame', async () => {
    const { page } = await open('01a231cf-286d-763f-91b3-8d060869fbb5');
    await page.getByRole('alert').filter({ hasText: 'It is no longer kept, or not yours to see.' }).waitFor();
    expect(await page.getByRole('navigation', { name: 'Pages' }).count()).toBe(1);
  });
});

describe('a run that waits', () => {
  it.each([
    ['backoff', 'BACKOFF', 'will be tried again'],
    ['blocked', 'BLOCKED', 'pay-out is held back by an operator.'],
    ['sleeping', 'SLEEPING', 'wait sleeps'],
    ['waiting', 'WAITING_CALLBACK', 'ask waits for its callback'],
  ] as const)('%s: says what for', async (story, state, sentence) => {
    const { page, complaints } = await open(stage.ids[story]);
    await page.getByRole('heading', { level: 1 }).filter({ hasText: sentence }).waitFor();
    await attempt(page).getByText(state, { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('is cancelled by a dialog that says what it sends, and by nothing before', async () => {
    const id = await stage.start(stories.backoff(stage.downstream.url));
    const { page, complaints } = await open(id);
    await stands(page).getByText('1 effect in force').waitFor();
    await page.getByRole('button', { name: 'Cancel…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Cancel this run' });
    const button = dialog.getByRole('button', { name: 'Cancel run, send 1 request' });
    await button.waitFor();
    const shown = await dialog.getByRole('listitem').textContent();
    const [preview] = await stage.ask('GET', `/workflows/${id}/cancel-preview`);
    expect(shown).toContain(`${preview.verb}${preview.url}`);
    expect((await stage.ask('GET', `/workflows/${id}`)).status).toBe('IN_PROGRESS');
    await dialog.getByLabel(/^Reason/).fill('The customer called.');
    await button.click();
    await dialog.waitFor({ state: 'detached' });
    const run = await stage.until(id, 'CANCELLED');
    expect(run.changes.at(-1).details.reason).toBe('The customer called.');
    // The page follows by itself.
    await page.getByText('Nothing stands').waitFor();
    expect(complaints).toEqual([]);
  });

  it('is cancelled by keyboard alone', async () => {
    const id = await stage.start(stories.backoff(stage.downstream.url));
    const { page, complaints } = await open(id);
    await stands(page).getByText('1 effect in force').waitFor();
    const focused = (): Promise<unknown> => page.evaluate('document.activeElement?.textContent');
    const tabTo = async (text: string): Promise<void> => {
      for (let count = 0; count < 60 && (await focused()) !== text; count++) await page.keyboard.press('Tab');
      expect(await focused()).toBe(text);
    };
    await tabTo('Cancel…');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Cancel run, send 1 request' }).waitFor();
    // Escape leaves everything as it was, and the focus where it was.
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused()).toBe('Cancel…');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Cancel run, send 1 request' }).waitFor();
    await tabTo('Cancel run, send 1 request');
    await page.keyboard.press('Enter');
    await stage.until(id, 'CANCELLED');
    expect(complaints).toEqual([]);
  });

  it('is tried again at once', async () => {
    const id = await stage.start(stories.backoff(stage.downstream.url));
    const { page, complaints } = await open(id);
    await page.getByRole('button', { name: 'Retry now…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Retry now' });
    await dialog.getByRole('checkbox', { name: /^retry/ }).waitFor();
    await dialog.getByRole('button', { name: 'Retry now' }).click();
    await attempt(page).getByText('attempt 2 of 2').waitFor();
    expect(complaints).toEqual([]);
  });

  it('says what would stand if it were terminated', async () => {
    const { page } = await open(stage.ids.backoff);
    await page.getByRole('button', { name: 'Terminate…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Terminate this run' });
    await dialog.getByText('book, succeeded').waitFor();
    expect(await dialog.getByText('If-Match').count()).toBe(1);
  });

  it('lets its host be held', async () => {
    const { page } = await open(stage.ids.backoff);
    await page.getByRole('button', { name: 'Hold host…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Hold a host or a definition' });
    expect(await dialog.getByLabel(/^Host/).inputValue()).toBe(new URL(stage.downstream.url).host);
  });

  it('sends nothing that was not previewed: a run that moved meanwhile gets a new preview', async () => {
    const id = await stage.start(stories.branches(stage.downstream.url));
    await stage.until(id, 'WAITING_CALLBACK');
    const { page, complaints } = await open(id);
    await page.getByRole('button', { name: 'Cancel…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Cancel this run' });
    await dialog.getByText('If-Match').waitFor();
    const button = dialog.getByRole('button', { name: 'Cancel run, send 2 requests' });
    await button.waitFor();
    const settled = { nodeId: 'first', phase: 'UP', outcome: 'succeeded', reason: 'By phone.' };
    await stage.ask('POST', `/workflows/${id}/resolve`, settled);
    for (;;) {
      const { nodes } = await stage.ask('GET', `/workflows/${id}/timeline`);
      if (nodes.some(({ nodeId, outcome }: Record<string, string>) => nodeId === 'more' && outcome === 'succeeded'))
        break;
    }
    // The page behind the dialog reads on; the dialog keeps what it has shown, until the press.
    await page
      .getByRole('region', { name: 'What stands', includeHidden: true })
      .getByText('3 effects in force')
      .waitFor();
    await button.click();
    await dialog.getByRole('alert').filter({ hasText: 'The run changed; nothing was sent.' }).waitFor();
    expect((await stage.ask('GET', `/workflows/${id}`)).status).toBe('WAITING_CALLBACK');
    await dialog.getByRole('button', { name: 'Cancel run, send 3 requests' }).click();
    const run = await stage.until(id, 'CANCELLED');
    expect(run.compensations.length).toBe(3);
    expect(complaints).toEqual([]);
  });

  it('is woken, and terminated', async () => {
    const [woken, ended] = await Promise.all([
      stage.start(stories.sleeping(stage.downstream.url)),
      stage.start(stories.sleeping(stage.downstream.url)),
    ]);
    const { page } = await open(woken);
    await page.getByRole('button', { name: 'Wake…' }).click();
    await page.getByRole('button', { name: 'Wake run' }).click();
    await stage.until(woken, 'SUCCEEDED');
    await page.goto(`${stage.url}/ui/executions/${ended}`);
    await page.getByRole('button', { name: 'Terminate…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Nothing is undone').waitFor();
    await dialog.getByText('TERMINATED').waitFor();
    await dialog.getByRole('button', { name: 'Terminate, send nothing' }).click();
    await stage.until(ended, 'TERMINATED');
  });

  it('says why a change is refused, and stays open', async () => {
    const id = await stage.start(stories.backoff(stage.downstream.url));
    const { page } = await open(id);
    await page.getByRole('button', { name: 'Cancel…' }).click();
    const button = page.getByRole('button', { name: 'Cancel run, send 1 request' });
    await button.waitFor();
    await stage.ask('POST', `/workflows/${id}/cancel`);
    await stage.until(id, 'CANCELLED');
    await button.click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
  });
});

describe('a run that failed', () => {
  it('is settled by hand, and retried', async () => {
    const id = await stage.start(stories.corrupted(stage.downstream.url));
    await stage.until(id, 'CORRUPTED');
    const { page, complaints } = await open(id);
    await page.getByRole('button', { name: 'Resolve…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Settle by hand' });
    const settle = dialog.getByRole('button', { name: 'Settle' });
    await dialog.getByText('charge counts as undone.').waitFor();
    expect(await settle.isDisabled()).toBe(true);
    await dialog.getByLabel(/^Reason/).fill('The bank took it back by phone.');
    await settle.click();
    await stage.until(id, 'FAILED');
    await page.getByRole('button', { name: 'Retry…' }).waitFor();
    await page.getByRole('button', { name: 'Retry…' }).click();
    await page.getByRole('button', { name: 'Retry run' }).click();
    expect((await stage.until(id, 'CORRUPTED')).round).toBe(2);
    await page.getByText('Round 2').waitFor();
    expect(complaints).toEqual([]);
  });
});

describe('a run that succeeded', () => {
  it('is taken back, with a reason, by the requests that the dialog shows', async () => {
    const id = await stage.start(stories.success(stage.downstream.url));
    await stage.until(id, 'SUCCEEDED');
    const { page, complaints } = await open(id);
    await page.getByRole('button', { name: 'Undo…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Take this run back' });
    const button = dialog.getByRole('button', { name: 'Take back, send 2 requests' });
    await button.waitFor();
    expect(await button.isDisabled()).toBe(true);
    await dialog.getByLabel(/^Reason/).fill('Ordered twice.');
    await button.click();
    const run = await stage.until(id, 'CANCELLED');
    expect(run.reason).toBe('undone');
    expect(complaints).toEqual([]);
  });
});
