import { BlockList, isIP } from 'node:net';

/**
 * Parses the IP address that a proxy reports, without brackets and port. Some proxies send `203.0.113.9:51234` or
 * `[2001:db8::1]:443`; with its port, every connection would count as another caller. Undefined for text that is not an
 * address (`unknown`, `_hidden`, a name).
 */
export function plainAddress(text: string): string | undefined {
  if (isIP(text) !== 0) return text;
  const [, bracketed, dotted] = /^(?:\[([\da-fA-F:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/.exec(text) ?? [];
  const address = bracketed ?? dotted ?? '';
  return isIP(address) === (bracketed === undefined ? 4 : 6) ? address : undefined;
}

/** Tests whether an address, with or without a port, belongs to these addresses and networks. */
export function addressesWithin(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (text) => {
    const address = plainAddress(text)?.replace(/%.*$/, '');
    return address !== undefined && list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  };
}

/**
 * The part of an address that one party is likely to own: a whole IPv4 address (also IPv4-mapped), or the first 64 bits
 * of an IPv6 address. Returns other text unchanged.
 */
export function addressGroup(address: string): string {
  if (isIP(address) !== 6) return address;
  const groups = ipv6Groups(address);
  const [, , , , , sixth, seventh = 0, eighth = 0] = groups;
  if (sixth === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return [seventh >> 8, seventh & 0xff, eighth >> 8, eighth & 0xff].join('.');
  }
  const network = groups.slice(0, 4).map((group) => group.toString(16));
  return `${network.join(':')}::/64`;
}

/** The eight groups of an IPv6 address in any notation. */
function ipv6Groups(address: string): readonly number[] {
  const hexadecimal = (address.split('%')[0] ?? '').replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_all, ...bytes: string[]) => {
      const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number);
      return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    },
  );
  const [head = '', tail] = hexadecimal.split('::');
  const read = (part: string): readonly number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16) || 0);
  const left = read(head);
  const right = read(tail ?? '');
  return [...left, ...Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0), ...right];
}
