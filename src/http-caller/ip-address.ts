/**
 * IP addresses as bytes, with every IPv4 address that an IPv6 address may represent, so that a rule about 10.0.0.0/8
 * also covers ::ffff:10.0.0.1, 64:ff9b::a00:1 and 2002:a00:1::.
 */
import { isIPv4, isIPv6 } from 'node:net';

/** An address: 4 bytes (IPv4) or 16 (IPv6). */
export type AddressBytes = readonly number[];

/** A range of addresses of one family. */
export interface Network {
  readonly bytes: AddressBytes;
  /** Leading bits that count: 0 to 32, or 0 to 128. */
  readonly prefix: number;
}

/** Parses dotted IPv4 or any IPv6 text (a zone is ignored); undefined when it is neither. */
export function parseAddress(text: string): AddressBytes | undefined {
  if (isIPv4(text)) return text.split('.').map(Number);
  const zone = text.indexOf('%');
  const bare = zone === -1 ? text : text.slice(0, zone);
  return isIPv6(bare) ? parseIPv6(bare) : undefined;
}

function parseIPv6(text: string): AddressBytes {
  const gap = text.indexOf('::');
  if (gap === -1) return groupBytes(text);
  const front = groupBytes(text.slice(0, gap));
  const back = groupBytes(text.slice(gap + 2));
  return [...front, ...new Array<number>(16 - front.length - back.length).fill(0), ...back];
}

function groupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** Parses an address or `address/prefix`; undefined when it is neither. Bits beyond the prefix are kept as written. */
export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const bytes = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (bytes === undefined) return undefined;
  const bits = bytes.length * 8;
  if (slash === -1) return { bytes, prefix: bits };
  const suffix = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(suffix) || Number(suffix) > bits) return undefined;
  return { bytes, prefix: Number(suffix) };
}

/** Whether the network's address has bits set beyond its prefix, as in 10.1.2.3/8. */
export function hasHostBits(network: Network): boolean {
  return network.bytes.some((byte, index) => (byte & ~maskAt(network.prefix, index) & 0xff) !== 0);
}

/** Whether an address of the same family lies in the network. */
export function networkContains(network: Network, address: AddressBytes): boolean {
  if (network.bytes.length !== address.length) return false;
  return address.every((byte, index) => {
    const mask = maskAt(network.prefix, index);
    return (byte & mask) === ((network.bytes[index] ?? 0) & mask);
  });
}

function maskAt(prefix: number, index: number): number {
  const bits = Math.min(8, Math.max(0, prefix - index * 8));
  return (0xff << (8 - bits)) & 0xff;
}

/** Where IPv6 forms keep an IPv4 address: the network that marks the form, and the offsets of the four bytes. */
const embeddings: readonly { network: Network; at: readonly number[]; inverted?: boolean }[] = [
  embedding('::ffff:0:0/96', [12, 13, 14, 15]), // IPv4-mapped, RFC 4291
  embedding('::ffff:0:0:0/96', [12, 13, 14, 15]), // IPv4-translated, RFC 7915
  embedding('64:ff9b::/96', [12, 13, 14, 15]), // NAT64, RFC 6052
  embedding('64:ff9b:1::/48', [6, 7, 9, 10]), // NAT64 for local use, RFC 8215, a /48 prefix
  embedding('64:ff9b:1::/48', [7, 9, 10, 11]), // the same with a /56 prefix
  embedding('64:ff9b:1::/48', [9, 10, 11, 12]), // with a /64 prefix
  embedding('64:ff9b:1::/48', [12, 13, 14, 15]), // with a /96 prefix
  embedding('2002::/16', [2, 3, 4, 5]), // 6to4, RFC 3056
  embedding('2001::/32', [4, 5, 6, 7]), // Teredo, RFC 4380: its server
  { ...embedding('2001::/32', [12, 13, 14, 15]), inverted: true }, // Teredo: its client, inverted
];

function embedding(network: string, at: readonly number[]): { network: Network; at: readonly number[] } {
  const parsed = parseNetwork(network);
  if (parsed === undefined) throw new Error(`${network} is no network`);
  return { network: parsed, at };
}

/** The address itself, then every IPv4 address that it may represent. */
export function addressFaces(address: AddressBytes): readonly AddressBytes[] {
  if (address.length === 4) return [address];
  const faces: AddressBytes[] = [address];
  for (const { network, at, inverted } of embeddings) {
    if (!networkContains(network, address)) continue;
    faces.push(at.map((offset) => (address[offset] ?? 0) ^ (inverted === true ? 0xff : 0)));
  }
  const lastFour = address.slice(12);
  // IPv4-compatible (deprecated, RFC 4291), except :: and ::1, which represent none.
  if (address.slice(0, 12).every((byte) => byte === 0) && (lastFour[0] ?? 0) !== 0) faces.push(lastFour);
  // ISATAP, RFC 5214: interface id 0000:5efe or 0200:5efe, then the IPv4 address.
  if (((address[8] ?? 0) & 0xfd) === 0 && address[9] === 0 && address[10] === 0x5e && address[11] === 0xfe) {
    faces.push(lastFour);
  }
  return faces;
}
