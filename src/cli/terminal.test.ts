/** Whatever a server or a file says, what commands print cannot steer the terminal that shows it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCli } from './program.ts';
import { createTerminal, type Terminal } from './terminal.ts';

/** Clears the screen, sets the title, writes right to left, forges a line. */
const hostile = 'x\u001b[2J\u001b]0;t\u0007\u009b31m\u202e\u2066\u007f\r\nSUCCEEDED\ty';
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const steers = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const id = '01a21519-0db2-75fd-baf0-9f8427323a0e';

let directory: string;
let server: Server;
let url: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'trama-terminal-'));
  writeFileSync(join(directory, 'empty.yaml'), '');
  server = createServer((request, response) => {
    const path = request.url ?? '';
    response.writeHead(path.includes('refused') ? 400 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answerTo(path)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await new Promise((resolve) => server.close(resolve));
});

function answerTo(path: string): unknown {
  if (path.includes('refused')) return { errors: [hostile, hostile], code: hostile, requestId: hostile };
  const at = '2030-01-01T00:00:00Z';
  const row = {
    id: hostile,
    nodeId: hostile,
    stepName: hostile,
    phase: hostile,
    outcome: hostile,
    note: hostile,
    error: hostile,
    createdAt: at,
    startedAt: at,
    since: at,
    state: hostile,
    detail: hostile,
    requestUrl: hostile,
    requestVerb: hostile,
    reason: hostile,
    actor: hostile,
    action: hostile,
    details: { reason: hostile },
    host: hostile,
    name: hostile,
    version: hostile,
    status: hostile,
  };
  if (path.includes('/steps') || path.includes('/audit') || path.startsWith('/holds')) return [row];
  const counts = [{ value: hostile, count: 1 }];
  if (path.includes('/top')) return { counted: 1, more: false, names: counts, hosts: counts };
  const document = {
    ...row,
    failureDescription: hostile,
    labels: { [hostile]: hostile },
    result: { [hostile]: hostile },
    currentNodes: [row],
    compensations: [row],
    standing: [row],
    changes: [row],
    failedCompensations: [row],
  };
  return path.includes(id) ? document : [document];
}

async function said(args: readonly string[]): Promise<string> {
  const texts: string[] = [];
  const streams = { out: (text: string) => texts.push(text), err: (text: string) => texts.push(text) };
  await runCli(args, createTerminal(streams, { TRAMA_CONFIG: join(directory, 'empty.yaml'), TRAMA_URL: url }, true));
  return texts.join('');
}

describe('what a server says', () => {
  it.each([
    [['show', id]],
    [['show', id, '--json']],
    [['ls']],
    [['ls', '--json']],
    [['hold', 'list']],
    [['hold', 'list', '--json']],
    [['audit', id]],
    [['top']],
    [['retry', id, '--dry-run']],
    [['show', 'refused']],
    [['cancel', 'refused']],
  ])('is shown by %j with escapes', async (args) => {
    const text = await said(args);
    expect(text).toContain('\\u001b[2J');
    expect(text).not.toMatch(steers);
    // No line of it was forged.
    expect(text.split('\n').filter((line) => line.startsWith('SUCCEEDED'))).toEqual([]);
  });
});

describe('what files and arguments say', () => {
  it('is shown with escapes where it is a problem', async () => {
    const file = join(directory, 'bad.json');
    writeFileSync(file, JSON.stringify({ name: 'a', version: '1', [hostile]: 1, steps: [{ name: hostile }] }));
    const commands = [
      ['validate', file],
      ['validate', file, '--json'],
      ['simulate', file, file],
      ['validate', join(directory, `no${hostile}`)],
      ['show', id, '--url', `ftp://${hostile}`],
      ['ls', '--where', hostile],
    ];
    for (const args of commands) {
      const text = await said(args);
      expect(text).toContain('\\u001b[2J');
      expect(text).not.toMatch(steers);
    }
  });

  it('is shown with escapes by a simulation', async () => {
    const file = join(directory, 'saga.json');
    const up = { url: 'http://localhost/a', verb: 'GET' };
    writeFileSync(file, JSON.stringify({ name: `a${hostile}`, version: '1', steps: [{ name: `s${hostile}`, up }] }));
    const scenario = join(directory, 'scenario.json');
    const name = `s${hostile}`;
    writeFileSync(scenario, JSON.stringify({ description: hostile, steps: { [name]: { up: { status: 400 } } } }));
    const text = await said(['simulate', file, scenario]);
    expect(text).toContain('sx\\u001b[2J');
    expect(text).not.toMatch(steers);
    expect(text.split('\n').filter((line) => line.startsWith('SUCCEEDED'))).toEqual([]);
  });
});

it('keeps the lines of its own texts', async () => {
  expect((await said(['--help'])).split('\n').length).toBeGreaterThan(10);
  expect(JSON.parse(await said(['schema']))).toMatchObject({ $schema: expect.any(String) });
});

describe('a terminal that shows colours', () => {
  const colourful = { outColours: true, errColours: true, overwrites: true };

  function speak(say: (terminal: Terminal) => void, looks = colourful): { readonly out: string; readonly err: string } {
    const texts = { out: '', err: '' };
    const streams = { out: (text: string) => (texts.out += text), err: (text: string) => (texts.err += text) };
    say(createTerminal(streams, {}, true, looks));
    return texts;
  }

  it('paints what is for people, and only words of its own', () => {
    const { out, err } = speak((terminal) => {
      terminal.show('a SUCCEEDED x-FAILED');
      terminal.show('waits:');
      terminal.out('{"status":"FAILED"}');
      terminal.note('Warning: none');
    });
    expect(out).toBe('a \u001b[32mSUCCEEDED\u001b[39m x-FAILED\n\u001b[1mwaits:\u001b[22m\n{"status":"FAILED"}\n');
    expect(err).toBe('\u001b[33mWarning\u001b[39m: none\n');
  });

  it('still shows the control characters of others as escapes', () => {
    const { out } = speak((terminal) => {
      terminal.show(hostile);
    });
    // eslint-disable-next-line no-control-regex -- the colours are what is taken away
    expect(out.replaceAll(/\u001b\[\d+m/g, '').trimEnd()).not.toMatch(steers);
    expect(out).toContain('\\u001b[2J');
  });

  it('writes progress over itself, and takes it away before anything else', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const { err } = speak((terminal) => {
        for (const n of [1, 2, 3]) {
          vi.advanceTimersByTime(150);
          terminal.progress(`${String(n)} of 3`);
        }
        terminal.progress('too soon');
        terminal.note('done');
        terminal.note('really');
      });
      const erase = '\r\u001b[2K';
      expect(err).toBe(`${erase}1 of 3${erase}2 of 3${erase}3 of 3${erase}done\nreally\n`);
      const plain = speak(
        (terminal) => {
          for (let n = 1; n <= 30; n++) {
            vi.advanceTimersByTime(150);
            terminal.progress(`${String(n)} of 30`);
          }
        },
        { outColours: false, errColours: false, overwrites: false },
      );
      expect(plain.err).toBe('14 of 30\n28 of 30\n');
    } finally {
      vi.useRealTimers();
    }
  });
});
