import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from './command-table.ts';
import { runCli } from './program.ts';
import { createTerminal } from './terminal.ts';

let directory: string;
const scripts = new Map<string, string>();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'trama-completion-'));
  for (const shell of ['bash', 'zsh', 'fish']) scripts.set(shell, (await run('completion', shell)).out);
  writeFileSync(join(directory, 'trama.bash'), scripts.get('bash') ?? '');
  writeFileSync(join(directory, 'saga.json'), '{}');
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  let out = '';
  const streams = { out: (text: string) => void (out += text), err: () => undefined };
  const code = await runCli(args, createTerminal(streams, {}, false));
  return { code, out };
}

/** What bash offers for the last of these words. */
function offered(...words: readonly string[]): readonly string[] {
  const line = ['trama', ...words].map((word) => `'${word}'`).join(' ');
  const script = `source ./trama.bash; COMP_WORDS=(${line}); COMP_CWORD=${String(words.length)}; _trama; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync('bash', ['--norc', '-c', script], { cwd: directory, encoding: 'utf8' });
  return said.split('\n').filter((word) => word !== '');
}

describe('completion', () => {
  it('offers in bash what a command takes', () => {
    expect(offered('hol')).toEqual(['hold']);
    expect(offered('')).toEqual(expect.arrayContaining(['help', ...commands.map(({ name }) => name)]));
    expect(offered('hold', '')).toEqual(['list', 'put', 'rm']);
    expect(offered('hold', 'put', '--un')).toEqual(['--until']);
    expect(offered('resolve', 'x', '--phase', '')).toEqual(['UP', 'DOWN']);
    expect(offered('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(offered('validate', 'sa')).toEqual(['saga.json']);
    expect(offered('run', '--payload', 'sa')).toEqual(['saga.json']);
    expect(offered('help', 'prom')).toEqual(['promote']);
    expect(offered('ls', '--no-such')).toEqual([]);
  });

  it.each(['bash', 'zsh', 'fish'])('has every command and every option for %s', async (shell) => {
    const script = scripts.get(shell) ?? '';
    for (const { name } of commands) {
      expect(script).toContain(name);
      const help = (await run(name, '--help')).out;
      for (const [, flag = ''] of help.matchAll(/^ +(?:-\w, )?--([a-z-]+)/gm)) {
        expect(script).toMatch(new RegExp(`(?:--|-l )${flag}(?![a-z-])`));
      }
    }
  });

  it('knows no other shell', async () => {
    expect((await run('completion', 'tcsh')).code).toBe(2);
  });
});
