/** Drives Debian's Chromium. Nothing is ever downloaded; what a page complains of fails the test that opened it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { programPath } from '../../test/servers/provision.ts';

/** A page under test, and what it complained of. */
export interface OpenPage {
  readonly page: Page;
  /** Violations of the page's policy, errors of scripts, and error lines of its console. */
  readonly complaints: readonly string[];
}

/** Error lines that a test expects: the browser reports every answer that is no success. */
const expected = /Failed to load resource: the server responded with a status of/;

/** Starts a browser. The caller closes it. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: programPath('chromium'),
    // Chromium has no sandbox for root.
    args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--font-render-hinting=none'],
  });
}

/** Opens a page that listens to violations of its policy from its first script on. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<OpenPage> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    timezoneId: 'Europe/Rome',
    ...options,
  });
  context.setDefaultTimeout(15_000);
  const complaints: string[] = [];
  await context.exposeBinding('complain', (_source, text: string) => void complaints.push(text));
  await context.addInitScript(
    `addEventListener('securitypolicyviolation', (e) => complain('policy: ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile));`,
  );
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected.test(message.text())) complaints.push(`console: ${message.text()}`);
  });
  return { page, complaints };
}

/** Where screenshots go: pictures for people, which no test compares. */
const shots = join(import.meta.dirname, '../../reports/ui');

/** Takes a picture of what is in sight. */
export async function takeShot(page: Page, name: string): Promise<void> {
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`) });
}
