import { describe, expect, it } from 'vitest';
import { betterStart, mallocArenas, semiSpaceMib } from './process-settings.ts';

const option = `--max-semi-space-size=${String(semiSpaceMib)}`;
const arenas = String(mallocArenas);

describe('the settings that a process begins with', () => {
  it.each([[['serve']], [['demo', '--keep']], [['--verbose', 'serve', '--port', '0']]])(
    'are completed for a server: %j',
    (args) => {
      expect(betterStart({ args, execArgv: [], env: { HOME: '/home/a' } })).toEqual({
        execArgv: [option],
        env: { HOME: '/home/a', MALLOC_ARENA_MAX: arenas },
      });
    },
  );

  it.each([[[]], [['validate', 'serve']], [['--help']]])('stay as they are for what serves nothing: %j', (args) => {
    expect(betterStart({ args, execArgv: [], env: {} })).toBeUndefined();
  });

  it('are complete after one more beginning', () => {
    const args = ['serve'];
    const better = betterStart({ args, execArgv: ['--import', './a.mjs'], env: {} });
    expect(better?.execArgv).toEqual([option, '--import', './a.mjs']);
    expect(betterStart({ args, execArgv: [], env: {}, ...better })).toBeUndefined();
  });

  it.each([
    { execArgv: ['--max-semi-space-size=64'], env: {} },
    { execArgv: ['--max_semi_space_size=64'], env: {} },
    { execArgv: [], env: { NODE_OPTIONS: '--enable-source-maps --max-semi-space-size=64' } },
  ])('leave a semi-space that was chosen: %j', ({ execArgv, env }) => {
    const better = betterStart({ args: ['serve'], execArgv, env });
    expect(better).toEqual({ execArgv, env: { MALLOC_ARENA_MAX: arenas, ...env } });
  });

  it('leave a number of arenas that was chosen', () => {
    const env = { MALLOC_ARENA_MAX: '8' };
    expect(betterStart({ args: ['serve'], execArgv: [], env })).toEqual({ execArgv: [option], env });
  });
});
