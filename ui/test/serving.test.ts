import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPage, startBrowser } from './browser.ts';
import { type Stage, startStage } from './stage.ts';

let stage: Stage;
let browser: Browser;
beforeAll(async () => {
  [stage, browser] = await Promise.all([startStage(), startBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await stage.close();
});

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; " +
  'trusted-types trama';

describe('the files of the UI', () => {
  it('are found by a relative redirect', async () => {
    const answer = await fetch(`${stage.url}/ui`, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([302, 'ui/']);
  });

  it('begin with the page, whatever the path, with links as deep as the path and the policy', async () => {
    for (const [path, up] of [
      ['/ui/', './'],
      ['/ui/executions', './'],
      [`/ui/executions/${stage.ids.success}/nodes/a/1.1`, '../../../../'],
    ] as const) {
      const answer = await fetch(stage.url + path);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-security-policy')).toBe(policy);
      expect(answer.headers.get('cache-control')).toBe('no-cache');
      const text = await answer.text();
      const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link);
      expect(links.length).toBeGreaterThan(2);
      expect(links.filter((link) => !link.startsWith(`${up}assets/`))).toEqual([]);
    }
  });

  it('are compressed as the browser likes and kept for good', async () => {
    const page = await (await fetch(`${stage.url}/ui/`)).text();
    const script = /src="\.\/(assets\/[^"]+\.js)"/.exec(page)?.[1] ?? '';
    for (const [accepted, coding] of [
      ['gzip, deflate, br', 'br'],
      ['gzip;q=1, br;q=0', 'gzip'],
      ['identity', null],
    ] as const) {
      const answer = await fetch(`${stage.url}/ui/${script}`, { headers: { 'accept-encoding': accepted } });
      expect(answer.headers.get('content-encoding')).toBe(coding);
      expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
      expect(await answer.text()).toContain('trama');
    }
  });

  it('do not include anything else: an unknown asset is 404, and no path leaves the folder', async () => {
    for (const path of ['assets/gone-12345678.js', 'assets/../../package.json', 'assets/%2e%2e/%2e%2e/cli/main.js']) {
      const answer = await fetch(`${stage.url}/ui/${path}`);
      expect(await answer.text()).not.toContain('"dependencies"');
      if (path.startsWith('assets/gone')) expect(answer.status).toBe(404);
    }
    const sources = await fetch(`${stage.url}/ui/.sources`);
    expect(await sources.text()).toContain('<!doctype html>');
  });

  it('are behind the guard of a server without credentials', async () => {
    const answer = await fetch(`${stage.url}/ui/`, { headers: { 'x-forwarded-for': '1.2.3.4' } });
    expect(answer.status).toBe(403);
  });
});

it('shows runs without any violation of the policy', async () => {
  const { page, complaints } = await openPage(browser);
  await page.goto(`${stage.url}/ui/executions`);
  await page.getByRole('row', { name: /CORRUPTED/ }).waitFor();
  expect(await page.getByRole('row').count()).toBeGreaterThan(Object.keys(stage.ids).length);
  await page
    .getByRole('row', { name: /CORRUPTED/ })
    .getByRole('link')
    .click();
  await page.waitForURL(`${stage.url}/ui/executions/${stage.ids.corrupted}`);
  await page.getByRole('region', { name: 'What stands' }).waitFor();
  expect(complaints).toEqual([]);
});
