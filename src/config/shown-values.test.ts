import { describe, expect, it } from 'vitest';
import { loadConfig } from './load.ts';

describe('shown values', () => {
  it('hide secrets and keep the rest', () => {
    const loaded = loadConfig({
      env: {},
      directory: '.',
      fileText: { text: 'runtime: { callback: { hmacSecret: 0123456789abcdefg, hmacKid: k1 } }', name: 'trama.yaml' },
    });
    if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
    const shown = new Map(loaded.effective.map((value) => [value.path as string, value.value]));
    expect(shown.get('runtime.callback.hmacSecret')).toBe('***');
    expect(shown.get('runtime.callback.keys')).toEqual([]);
    expect(shown.get('runtime.callback.hmacKid')).toBe('k1');
    expect(JSON.stringify(loaded.effective)).not.toContain('0123456789abcdefg');
  });
});
