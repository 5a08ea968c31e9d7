import { describe, expect, it } from 'vitest';
import { executionLines } from './execution-view.ts';

const child = (n: number, fields: object = {}) => ({
  id: `c-${String(n)}`,
  round: 1,
  nodeId: 'ship',
  visit: n,
  name: 'shipping',
  version: '2',
  status: 'SUCCEEDED',
  startedAt: '2030-01-31T02:10:00.000Z',
  ...fields,
});

const linesOf = (fields: object): readonly string[] =>
  executionLines(
    { id: 'p-1', name: 'order', version: '1', status: 'FAILED', round: 1, ...fields },
    { steps: [], calls: [] },
    Date.UTC(2030, 0, 31),
  );

describe('the view of a run', () => {
  it('says why below its status', () => {
    const why = { headline: 'charge may have taken effect.', detail: 'Retry it.' };
    expect(linesOf({ why }).slice(1, 3)).toEqual(['  charge may have taken effect.', '  Retry it.']);
    expect(linesOf({ why: { headline: 'It succeeded.', detail: '' } })[2]).not.toMatch(/^\s*$/);
  });

  it('names who started it, and the root where that is another run', () => {
    const parent = { id: 'a-1', round: 2, nodeId: 'pack', visit: 3, item: [4, 0] };
    expect(linesOf({ parent, root: 'a-1' }).filter((line) => /parent|root/.test(line))).toEqual([
      '  parent     a-1 (pack#3[4,0], round 2)',
    ]);
    expect(linesOf({ parent, root: 'r-1' })).toContain('  root       r-1');
    expect(linesOf({}).join('\n')).not.toMatch(/parent|root/);
  });

  it('lists the runs that it started, and says how to see more', () => {
    const children = { count: 2, running: 0, corrupted: 0, first: [child(1), child(2, { item: [7] })] };
    const lines = linesOf({ children });
    const at = lines.indexOf('children:');
    expect(lines.slice(at + 1, at + 4).map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['node', 'round', 'id', 'status', 'name', 'version'],
      ['ship', '1', 'c-1', 'SUCCEEDED', 'shipping', '2'],
      ['ship#2[7]', '1', 'c-2', 'SUCCEEDED', 'shipping', '2'],
    ]);
    const many = linesOf({ children: { ...children, count: 300, running: 12 } });
    expect(many).toContain('  of 300, 12 running; trama ls --parent p-1 lists them');
  });

  it('names the run of a visit that stands', () => {
    const standing = [{ nodeId: 'ship', visit: 1, round: 1, outcome: 'unknown', child: 'c-9' }];
    expect(linesOf({ standing })).toContain('  still stands: ship (visit 1, unknown, run c-9)');
  });
});
