import type * as fileSystem from 'node:fs';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { maxSecretBytes, Secrets } from './secrets.ts';

/** Names of the files that were checked. */
const looked = vi.hoisted(() => ({ at: [] as string[] }));
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof fileSystem>();
  const statSync = (path: string, options: object): unknown => {
    looked.at.push(path);
    return fs.statSync(path, options);
  };
  return { ...fs, statSync };
});

let directory = '';
let now = 0;
let problems: string[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'trama-secrets-'));
  now = 0;
  problems = [];
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function secretsFrom(environment: Record<string, string | undefined> = {}): Secrets {
  return new Secrets({ environment, directory, now: () => now, report: (problem) => problems.push(problem) });
}

function write(name: string, content: string): void {
  writeFileSync(join(directory, name), content);
}

it('binds secrets to hosts', () => {
  const secrets = new Secrets({ environment: {}, hosts: { KEY: ['api.example'] } });
  expect(secrets.mayGoTo('KEY', 'https://api.example/x')).toBe(true);
  expect(secrets.mayGoTo('KEY', 'https://evil.example/x')).toBe(false);
  expect(secrets.mayGoTo('OTHER', 'https://evil.example/x')).toBe(true);
});

it('lets none that is not bound go to a host that comes from data', () => {
  const secrets = new Secrets({ environment: {}, hosts: { KEY: ['api.example'] } });
  expect(secrets.mayGoTo('KEY', 'https://api.example/x', true)).toBe(true);
  expect(secrets.mayGoTo('OTHER', 'https://api.example/x', true)).toBe(false);
});

describe('what an echo carries elsewhere', () => {
  const request = (body: string) => ({ url: 'https://evil.example/x', headers: {}, body });

  it('is found, also after the value was replaced and before any look-up', () => {
    write('KEY', 'first-value');
    const secrets = new Secrets({ environment: {}, directory, now: () => now, hosts: { KEY: ['api.example'] } });
    expect(secrets.misplaced(request('first-value'))).toBe('KEY');
    expect(secrets.misplaced(request('second-value'))).toBeUndefined();
    write('KEY', 'second-value');
    now += 1000;
    expect(secrets.misplaced(request('second-value'))).toBe('KEY');
    expect(secrets.misplaced(request('first-value'))).toBe('KEY');
    expect(secrets.misplaced({ ...request('first-value'), url: 'https://api.example/' })).toBeUndefined();
  });

  it('is found at once when a value was read anew', () => {
    write('KEY', 'first-value');
    const secrets = new Secrets({ environment: {}, directory, now: () => now, hosts: { KEY: ['api.example'] } });
    expect(secrets.secret('KEY')).toBe('first-value');
    now += 500;
    expect(secrets.misplaced(request('x'))).toBeUndefined();
    write('KEY', 'another-value');
    now += 500;
    expect(secrets.secret('KEY')).toBe('another-value');
    expect(secrets.misplaced(request('another-value'))).toBe('KEY');
  });

  it('is not looked for while no secret is bound', () => {
    const secrets = secretsFrom({ TRAMA_SECRET_KEY: 'first-value' });
    now = Number.NaN;
    expect(secrets.misplaced(request('first-value'))).toBeUndefined();
  });
});

describe('environment', () => {
  it('gives secrets by prefix and nothing else', () => {
    const environment = { TRAMA_SECRET_API_KEY: 'abc', TRAMA_SECRET_EMPTY: '', OTHER: 'x' };
    const secrets = new Secrets({ environment });
    expect(secrets.secret('API_KEY')).toBe('abc');
    expect(secrets.secret('EMPTY')).toBeUndefined();
    expect(secrets.secret('OTHER')).toBeUndefined();
    expect(secrets.secret('toString')).toBeUndefined();
    expect(secrets.values()).toEqual(['abc']);
  });

  it('takes another prefix', () => {
    const secrets = new Secrets({ environment: { S_A: '1', TRAMA_SECRET_A: '2' }, environmentPrefix: 'S_' });
    expect(secrets.secret('A')).toBe('1');
  });

  it('gives variables, the environment before the configuration, and does not mask them', () => {
    const secrets = new Secrets({
      environment: { TRAMA_VAR_A: 'env' },
      variables: { A: 'configured', B: 'configured' },
    });
    expect([secrets.variable('A'), secrets.variable('B'), secrets.variable('C')]).toEqual([
      'env',
      'configured',
      undefined,
    ]);
    expect(secrets.values()).toEqual([]);
  });
});

describe('directory', () => {
  it('gives a file without its last line break, the environment first', () => {
    write('a', 'from file\n');
    write('b', 'two\nlines\r\n');
    write('c', 'from file');
    const secrets = secretsFrom({ TRAMA_SECRET_c: 'from env' });
    expect(secrets.secret('a')).toBe('from file');
    expect(secrets.secret('b')).toBe('two\nlines');
    expect(secrets.secret('c')).toBe('from env');
    expect(secrets.secret('d')).toBeUndefined();
  });

  it('looks again after a second, not before', () => {
    write('a', 'one');
    const secrets = secretsFrom();
    expect([secrets.secret('a'), secrets.secret('late')]).toEqual(['one', undefined]);
    write('a', 'second');
    write('late', 'here');
    now = 999;
    expect([secrets.secret('a'), secrets.secret('late')]).toEqual(['one', undefined]);
    now = 1000;
    expect([secrets.secret('a'), secrets.secret('late')]).toEqual(['second', 'here']);
    unlinkSync(join(directory, 'a'));
    now = 2000;
    expect(secrets.secret('a')).toBeUndefined();
  });

  it.each(['../a', '.hidden', '..', '', 'a/b', 'a\\b', 'a\0', 'x'.repeat(300)])('never reads %j', (name) => {
    mkdirSync(join(directory, 'a'));
    write('.hidden', 'x');
    writeFileSync(join(directory, 'a', 'b'), 'x');
    expect(secretsFrom().secret(name)).toBeUndefined();
  });

  it('reports a file that cannot be used once, without its content', () => {
    write('large', 'x'.repeat(maxSecretBytes + 1));
    write('fits', 'x'.repeat(maxSecretBytes));
    write('empty', '\n');
    mkdirSync(join(directory, 'folder'));
    const secrets = secretsFrom();
    for (now = 0; now <= 5000; now += 1000) {
      for (const name of ['large', 'empty', 'folder']) expect(secrets.secret(name)).toBeUndefined();
    }
    expect(secrets.secret('fits')).toHaveLength(maxSecretBytes);
    expect(problems).toHaveLength(3);
    expect(problems[0]).toBe('The secret large cannot be used: it is larger than 65536 bytes.');
  });

  it('reports a directory that cannot be listed once', () => {
    const secrets = new Secrets({
      environment: {},
      directory: join(directory, 'missing'),
      now: () => now,
      report: (problem) => problems.push(problem),
    });
    for (now = 0; now <= 3000; now += 1000) expect(secrets.values()).toEqual([]);
    expect(problems).toHaveLength(1);
  });
});

describe('names without a file', () => {
  it.each([100, 1000, 4000])('%d of them are not looked up again when values are masked', (count) => {
    write('real', 'a value');
    const secrets = secretsFrom();
    for (let i = 0; i < count; i++) expect(secrets.secret(`made-up-${String(i)}`)).toBeUndefined();
    now = 5000;
    looked.at = [];
    for (let i = 0; i < 100; i++) expect(secrets.values()).toEqual(['a value']);
    expect(looked.at).toEqual([join(directory, 'real')]);
  });

  it('one of them is looked up once a second, however often it is asked for', () => {
    const secrets = secretsFrom();
    looked.at = [];
    for (now = 0; now < 3000; now += 100) secrets.secret('made-up');
    expect(looked.at).toHaveLength(3);
  });

  it('do not push out what is there, and are found when they come', () => {
    write('real', 'a value');
    const secrets = secretsFrom();
    expect(secrets.secret('real')).toBe('a value');
    for (let i = 0; i < 5000; i++) secrets.secret(`made-up-${String(i)}`);
    write('made-up-7', 'came late');
    now = 1000;
    expect(secrets.values().toSorted()).toEqual(['a value', 'came late']);
    unlinkSync(join(directory, 'real'));
    now = 2000;
    expect([secrets.secret('real'), secrets.secret('made-up-7')]).toEqual([undefined, 'came late']);
    expect(secrets.values()).toContain('a value');
  });

  it('too long for a file are none', () => {
    expect(secretsFrom().secret('é'.repeat(200))).toBeUndefined();
    expect(problems).toEqual([]);
  });

  it('are what the files beyond the limit count as, since their values would not be masked', () => {
    for (let i = 0; i < 1001; i++) write(`file-${String(i).padStart(4, '0')}`, `value ${String(i)}`);
    const secrets = secretsFrom();
    for (now = 0; now <= 3000; now += 1000) expect(secrets.values()).toHaveLength(1000);
    expect(secrets.secret('file-1000')).toBeUndefined();
    expect(problems).toEqual([
      'The secrets directory is too full: it holds 1001 files, and at most 1000 are used; remove files that are not secrets.',
    ]);
  });
});

describe('values to mask', () => {
  it('cover secrets never asked for and earlier values, in the same array until one changes', () => {
    write('a', 'first');
    write('b', 'other');
    symlinkSync(join(directory, 'b'), join(directory, 'link'));
    const secrets = secretsFrom({ TRAMA_SECRET_E: 'env' });
    const before = secrets.values();
    expect(before.toSorted()).toEqual(['env', 'first', 'other']);
    now = 5000;
    expect(secrets.values()).toBe(before);
    write('a', 'second value');
    now = 6000;
    expect(secrets.values().toSorted()).toEqual(['env', 'first', 'other', 'second value']);
    unlinkSync(join(directory, 'a'));
    now = 7000;
    expect(secrets.values().toSorted()).toEqual(['env', 'first', 'other', 'second value']);
  });
});

describe('concealed values', () => {
  it('count as secrets, the newest 128 of them', () => {
    const secrets = new Secrets({ environment: { TRAMA_SECRET_A: 'abcd' } });
    const before = secrets.values();
    secrets.conceal('token-0');
    expect(secrets.values()).toEqual(['abcd', 'token-0']);
    expect(secrets.values()).toBe(secrets.values());
    expect(before).toEqual(['abcd']);
    for (let i = 1; i <= 128; i++) secrets.conceal(`token-${i}`);
    expect(secrets.values()).toHaveLength(129);
    expect(secrets.values()).not.toContain('token-0');
  });

  it('can be taken out all at once', () => {
    const secrets = new Secrets({ environment: { TRAMA_SECRET_A: 'abcd' } });
    expect(secrets.concealed()).toBeUndefined();
    secrets.conceal('token-1');
    expect(secrets.concealed()?.('token-1 token-2 abcd')).toBe('*** token-2 abcd');
    secrets.conceal('token-2');
    expect(secrets.concealed()?.('token-1 token-2 abcd')).toBe('*** *** abcd');
    expect(secrets.concealed()).toBe(secrets.concealed());
  });

  it('are taken out of a text however they are encoded there, and nothing else is', () => {
    const mask = new Secrets({ environment: { TRAMA_SECRET_A: 'abcd' } }).conceal('to+ken/1');
    const base64 = Buffer.from('x:to+ken/1').toString('base64');
    expect(mask('to+ken/1 to%2Bken%2F1 abcd')).toBe('*** *** abcd');
    expect(mask(base64)).not.toBe(base64);
    expect(mask('other')).toBe('other');
  });
});

it('tells the names of variables and of secrets that have a value', () => {
  writeFileSync(join(directory, 'bank'), 'value of the bank');
  writeFileSync(join(directory, 'empty'), '');
  const secrets = new Secrets({
    environment: { TRAMA_SECRET_pay: 'value of pay', TRAMA_VAR_AREA: 'eu', OTHER: 'x' },
    variables: { BASE: 'http://a.example' },
    directory,
    now: () => now,
    report: () => undefined,
  });
  const { variables, secrets: names } = secrets.names();
  expect([...variables].sort()).toEqual(['AREA', 'BASE']);
  expect([...names].sort()).toEqual(['bank', 'pay']);
});
