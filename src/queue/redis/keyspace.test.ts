import { describe, expect, it } from 'vitest';
import { slotOfKey } from './cluster-slot.ts';
import { Keyspace } from './keyspace.ts';

describe('slots', () => {
  // The first is the test vector of the Redis Cluster specification; the others were asked of a server.
  it.each([
    ['123456789', 12_739],
    ['foo', 12_182],
    ['bar', 5061],
    ['', 0],
    ['{user1000}.following', slotOfKey('user1000')],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', slotOfKey('{bar')],
    ['foo{bar}{zap}', slotOfKey('bar')],
    ['ä€', slotOfKey('x{ä€}')],
  ])('%s', (key, slot) => {
    expect(slotOfKey(key)).toBe(slot);
  });
});

describe('keys', () => {
  const keys = new Keyspace('trama:executions', 'trama:pods');

  it('name a shard with its count', () => {
    expect(keys.shard({ count: 64, index: 7 }).names).toEqual({
      ready: '{trama:executions:vs-64-0007}:ready',
      inflight: '{trama:executions:vs-64-0007}:inflight',
      claims: '{trama:executions:vs-64-0007}:claims',
      marker: '{trama:executions:vs-64-0007}:marker',
    });
    expect(keys.shard({ count: 16_384, index: 12_345 }).names.ready).toBe('{trama:executions:vs-16384-12345}:ready');
    expect(keys.shard({ count: 64, index: 7 })).toBe(keys.shard({ count: 64, index: 7 }));
  });

  it.each([keys.shard({ count: 64, index: 7 }), keys.membership, keys.bell('pod/nonce'), keys.bell('{odd}/pod')])(
    'of one script share a slot',
    ({ slot, names }) => {
      for (const name of Object.values(names)) expect(slotOfKey(name)).toBe(slot);
    },
  );

  it('keep the membership key as it is, with its hash tag where it has one', () => {
    expect(keys.membership.names).toEqual({
      members: 'trama:pods',
      infos: '{trama:pods}:info',
      store: '{trama:pods}:store',
    });
    const tagged = new Keyspace('p', '{saga}:pods').membership;
    expect(tagged.names).toEqual({ members: '{saga}:pods', infos: '{saga}:pods:info', store: '{saga}:pods:store' });
    expect(slotOfKey(tagged.names.infos)).toBe(tagged.slot);
  });

  it.each([
    ['a{b', 'pods'],
    ['a}b', 'pods'],
    ['a', 'po}ds'],
  ])('refuse stray braces: %s, %s', (prefix, membershipKey) => {
    expect(() => new Keyspace(prefix, membershipKey)).toThrow(RangeError);
  });
});
