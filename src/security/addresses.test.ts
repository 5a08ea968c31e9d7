import { describe, expect, it } from 'vitest';
import { addressesWithin, addressGroup, plainAddress } from './addresses.ts';

it.each([
  ['203.0.113.9', '203.0.113.9'],
  ['203.0.113.9:51234', '203.0.113.9'],
  ['2001:db8::1', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['[2001:db8::1]:443', '2001:db8::1'],
  ['::ffff:10.1.2.3', '::ffff:10.1.2.3'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
])('the address of %j is %s', (text, address) => {
  expect(plainAddress(text)).toBe(address);
});

it.each([
  '',
  'unknown',
  '_hidden',
  '-',
  'a.example',
  '300.0.0.1',
  '1.2.3.4:x',
  '[1.2.3.4]',
  '[::1',
  '1.2.3.4 ',
  'x1.2.3.4',
])('%j is no address', (text) => {
  expect(plainAddress(text)).toBeUndefined();
});

describe('a list of networks', () => {
  const isWithin = addressesWithin(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1']);

  it.each(['10.1.2.3', '10.1.2.3:80', '::ffff:10.1.2.3', '192.0.2.7', '2001:db8:9::1', '[2001:db8::1]:443', '::1'])(
    'holds %s',
    (address) => {
      expect(isWithin(address)).toBe(true);
    },
  );

  it.each(['11.0.0.1', '192.0.2.8', '2001:db9::1', 'unknown', '', 'fe80::1%eth0'])('does not hold %j', (address) => {
    expect(isWithin(address)).toBe(false);
  });
});

it.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:0db8::6', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::ffff:a01:203', '10.1.2.3'],
  ['0:0:0:0:0:FFFF:10.1.2.3', '10.1.2.3'],
  ['1::2:3:4:5:1.2.3.4', '1:0:2:3::/64'],
  ['1:0:2:3:4:5:102:304', '1:0:2:3::/64'],
  ['', ''],
])('%s is of %s', (address, group) => {
  expect(addressGroup(address)).toBe(group);
});
