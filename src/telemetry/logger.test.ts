import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createLog, type LogOptions } from './logger.ts';

const open = async (lines: string[], options: Partial<LogOptions> = {}): ReturnType<typeof createLog> =>
  createLog({
    level: 'info',
    format: 'json',
    mask: (line) => line.replaceAll('hunter2', '***'),
    destination: (line) => lines.push(line),
    ...options,
  });

it('writes one JSON document per line, masked wherever a secret stands', async () => {
  const lines: string[] = [];
  const log = await open(lines);
  log.write('info', 'saga finished', { sagaId: 'a', status: 'SUCCEEDED', nodeId: undefined });
  log.write('warn', 'call to hunter2 failed', { error: 'x hunter2' });
  log.write('debug', 'unseen', undefined);
  expect(lines).toHaveLength(2);
  expect(lines.every((line) => line.endsWith('}\n'))).toBe(true);
  const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(first).toEqual({
    level: 'info',
    time: expect.any(String),
    sagaId: 'a',
    status: 'SUCCEEDED',
    msg: 'saga finished',
  });
  expect(new Date(first!['time'] as string).toISOString()).toBe(first!['time']);
  expect(second).toMatchObject({ level: 'warn', error: 'x ***', msg: 'call to *** failed' });
});

it('says which levels it writes', async () => {
  const log = await open([], { level: 'warn' });
  expect([log.writes('debug'), log.writes('info'), log.writes('warn'), log.writes('error')]).toEqual([
    false,
    false,
    true,
    true,
  ]);
  expect((await open([], { level: 'silent' })).writes('error')).toBe(false);
});

it('writes lines for people', async () => {
  const lines: string[] = [];
  const log = await open(lines, { format: 'pretty' });
  log.write('info', 'saga finished', { sagaId: 'a', note: 'hunter2' });
  expect(lines.join('')).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: saga finished \{.*"sagaId":"a".*\*\*\*.*\}\n$/);
});

it.each(['json', 'pretty'] as const)('lets nothing steer the terminal of those who read it (%s)', async (format) => {
  const lines: string[] = [];
  const log = await open(lines, { format });
  const hostile = 'a\u001b[2Jb\u009b1mc\u202ed\u007fe\nf';
  log.write('warn', `said ${hostile}`, { error: hostile, text: hostile });
  const [line = ''] = lines;
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  expect(line.replaceAll(/\n {4}|\n$/g, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(line.match(/u202e/g)).toHaveLength(3);
  // The JSON still parses to the original text.
  if (format === 'json') expect(JSON.parse(line)).toMatchObject({ error: hostile, msg: `said ${hostile}` });
});

it('loses nothing when it is closed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'trama-log-'));
  try {
    const path = join(directory, 'log');
    const log = await open([], { destination: openSync(path, 'w') });
    for (let i = 0; i < 200; i++) log.write('info', `line ${i}`, undefined);
    await log.close();
    await log.close();
    expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(200);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
