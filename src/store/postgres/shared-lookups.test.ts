import { describe, expect, it } from 'vitest';
import { SharedLookups } from './shared-lookups.ts';

describe('shared lookups', () => {
  it('answer all who asked while one was under way by the next one, and none by an earlier one', async () => {
    const open: { key: string; answer: (value: string) => void }[] = [];
    const lookups = new SharedLookups((key) => new Promise<string>((answer) => open.push({ key, answer })));
    const first = lookups.find('a');
    const later = [lookups.find('a'), lookups.find('a'), lookups.find('b')];
    expect(open.map(({ key }) => key)).toEqual(['a', 'b']);
    open[0]!.answer('old');
    open[1]!.answer('other');
    expect(await first).toBe('old');
    await new Promise((resolve) => setImmediate(resolve));
    expect(open).toHaveLength(3);
    open[2]!.answer('new');
    expect(await Promise.all(later)).toEqual(['new', 'new', 'other']);
    void lookups.find('a');
    expect(open).toHaveLength(4);
  });

  it('are not ended by one that failed', async () => {
    let fails = true;
    const lookups = new SharedLookups(() => (fails ? Promise.reject(new Error('Away.')) : Promise.resolve(1)));
    const first = lookups.find('a');
    const second = lookups.find('a');
    fails = false;
    await expect(first).rejects.toThrow('Away.');
    expect(await second).toBe(1);
  });
});
