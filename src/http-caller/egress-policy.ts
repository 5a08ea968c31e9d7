/**
 * Decides where calls may go: pure decisions on a host name and the address of the actual connection. The connector
 * asks once per connection, so hostile spellings of an address (decimal, octal, mapped, a name that resolves to it)
 * make no difference.
 *
 * In this order: cloud metadata and the deny list refuse; this process's own listeners refuse, except for what `own`
 * allows; a non-empty allow list must name the host or the address; a private address needs `allowPrivate` or an
 * explicit allow, and, where the URL's authority came from data, a place in `allowPrivateFromData` instead. A refusal
 * names the key that decides.
 */
import { domainToASCII } from 'node:url';
import { addressFaces, hasHostBits, networkContains, parseAddress, parseNetwork } from './ip-address.ts';
import type { AddressBytes, Network } from './ip-address.ts';
import type { OwnListeners } from './own-listeners.ts';

/** The configured rules. Entries are host names, `*.suffix`, addresses or CIDR ranges. */
export interface EgressRules {
  /** Empty: allows every host that no other rule refuses. */
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  /** Private hosts and ranges that a URL made from data may reach. */
  readonly allowPrivateFromData?: readonly string[];
  /** Default true. */
  readonly allowPrivate?: boolean;
  /** The listeners of this process; absent: none. */
  readonly own?: OwnListeners;
}

/** The target of a connection. */
export interface EgressTarget {
  /** The URL's host; brackets, case and trailing dots do not matter. */
  readonly host: string;
  /** The address of the connection; absent behind a proxy, which resolves names itself. */
  readonly address?: string;
  /** The port of the connection; absent while it is not known: a later check covers it then. */
  readonly port?: number;
  /** Whether the connection is for requests that may be callbacks to this installation, and for nothing else. */
  readonly forCallbacks?: boolean;
  /** Whether the URL's authority came from payload, labels or a response. */
  readonly fromData: boolean;
}

/** A decision; `reason` is a sentence. */
export type EgressDecision = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

/** Decides for one set of rules. Immutable. */
export interface EgressPolicy {
  /** Whether a connection may be made. The same target always gives the same decision. */
  decide(target: EgressTarget): EgressDecision;
}

/** Metadata services of the large clouds: they give credentials to every caller. No rule can allow them. */
const metadataNetworks: readonly Network[] = networks([
  '169.254.169.254', // AWS, Google, Azure, Oracle, DigitalOcean, OpenStack
  '169.254.170.2', // AWS ECS task credentials
  '169.254.170.23', // AWS EKS pod identity
  'fd00:ec2::254',
  'fd00:ec2::23',
  'fd20:ce::254', // Google over IPv6
  '100.100.100.200', // Alibaba
  '168.63.129.16', // Azure's wire server
  '192.0.0.192', // Oracle, older
  '169.254.0.23', // Tencent
  '169.254.42.42', // Scaleway
  'fd00:42::42',
]);
const metadataNames: ReadonlySet<string> = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'metadata.azure.internal',
  'metadata.tencentyun.com',
  'instance-data.ec2.internal',
]);
/**
 * Names that a proxy within a cloud may resolve by its search domains. Elsewhere the address decides, because any host
 * may have such a name.
 */
const metadataShortNames: ReadonlySet<string> = new Set(['metadata', 'instance-data']);

/** Every resolver, a proxy included, resolves `localhost` and names below it to its own loopback (RFC 6761). */
const loopbackName = /(?:^|\.)localhost$/;
const loopback: AddressBytes = [127, 0, 0, 1];

/** Ranges that are not the public internet (IANA special-purpose registries), multicast and reserved ones included. */
const privateNetworks: readonly Network[] = networks([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/128',
  '::1/128',
  '64:ff9b:1::/48',
  '100::/64',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  '2001:2::/48',
  '5f00::/16',
  'ff00::/8',
]);

function networks(texts: readonly string[]): Network[] {
  return texts.map((text) => {
    const network = parseNetwork(text);
    if (network === undefined) throw new Error(`${text} is no network`);
    return network;
  });
}

interface EntryList {
  readonly names: ReadonlySet<string>;
  /** With the leading dot. */
  readonly suffixes: readonly string[];
  readonly networks: readonly Network[];
}

/**
 * Creates a policy, or returns all problems of its entries: a sentence each, beginning with the list's key and index.
 */
export function createEgressPolicy(
  rules: EgressRules,
): { readonly ok: true; readonly policy: EgressPolicy } | { readonly ok: false; readonly problems: readonly string[] } {
  const problems: string[] = [];
  const allow = parseEntries('allow', rules.allow ?? [], problems);
  const deny = parseEntries('deny', rules.deny ?? [], problems);
  const fromData = parseEntries('allowPrivateFromData', rules.allowPrivateFromData ?? [], problems);
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, policy: new ListPolicy(allow, deny, fromData, rules) };
}

function parseEntries(key: string, entries: readonly string[], problems: string[]): EntryList {
  const names = new Set<string>();
  const suffixes: string[] = [];
  const ranges: Network[] = [];
  entries.forEach((entry, index) => {
    const problem = addEntry(entry.trim(), names, suffixes, ranges);
    if (problem !== undefined) problems.push(`${key}[${index}]: ${JSON.stringify(entry)} ${problem}.`);
  });
  return { names, suffixes, networks: ranges };
}

function addEntry(entry: string, names: Set<string>, suffixes: string[], ranges: Network[]): string | undefined {
  if (entry === '') return 'is blank';
  if (entry.includes('://')) return 'is a URL; name the host alone';
  if (entry === '*' || entry === '*.') return 'matches everything; an empty list says that';
  const network = parseNetwork(unbracket(entry));
  if (network !== undefined) {
    if (hasHostBits(network)) return 'has bits set beyond its prefix';
    ranges.push(network);
    return undefined;
  }
  if (entry.includes('/')) return 'is no CIDR range';
  if (/[:@]/.test(entry)) return 'is neither a host name nor an address; ports and users cannot be named';
  const isSuffix = entry.startsWith('*.');
  const written = isSuffix ? entry.slice(2) : entry;
  const name = normaliseName(domainToASCII(written));
  if (name === '' || /[*\s]/.test(written))
    return 'is no host name; a wildcard may only stand first, as in *.example.com';
  // Turns spellings such as 2130706433 or 0x7f.1 into addresses.
  const literal = parseNetwork(name);
  if (literal !== undefined) {
    if (isSuffix) return 'is no host name; an address has no subdomains';
    ranges.push(literal);
  } else if (isSuffix) {
    suffixes.push(`.${name}`);
  } else {
    names.add(name);
  }
  return undefined;
}

function unbracket(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

function normaliseName(host: string): string {
  return host.toLowerCase().replace(/\.+$/, '');
}

class ListPolicy implements EgressPolicy {
  readonly #allow: EntryList;
  readonly #allowsAll: boolean;
  readonly #deny: EntryList;
  readonly #fromData: EntryList;
  readonly #allowPrivate: boolean;
  readonly #own: OwnListeners | undefined;

  constructor(allow: EntryList, deny: EntryList, fromData: EntryList, { allowPrivate = true, own }: EgressRules) {
    this.#allow = allow;
    this.#allowsAll = allow.names.size + allow.suffixes.length + allow.networks.length === 0;
    this.#deny = deny;
    this.#fromData = fromData;
    this.#allowPrivate = allowPrivate;
    this.#own = own;
  }

  decide(target: EgressTarget): EgressDecision {
    const name = normaliseName(unbracket(target.host));
    const addressText = target.address ?? name;
    const address = parseAddress(addressText);
    // A resolver that answers something other than an address gets no benefit of the doubt.
    if (address === undefined && target.address !== undefined) {
      return refuse(`${name} resolved to ${addressText}, which is no address`);
    }
    const faces = address === undefined ? facesOfName(name) : addressFaces(address);
    const where = address === undefined || addressText === name ? name : `${name} (${addressText})`;

    const isShort = target.address === undefined && metadataShortNames.has(name);
    if (metadataNames.has(name) || isShort || anyContains(metadataNetworks, faces)) {
      return refuse(`${where} is a cloud metadata service, which no configuration allows`);
    }
    if (matches(this.#deny, name, faces)) return refuse(`${where} is on the deny list (http.egress.deny)`);
    const own = this.#own;
    if (own !== undefined) {
      if (target.forCallbacks === true && own.allowsCallbackTo(name, faces, target.port)) return allowed;
      if (!own.allowsAll && target.port !== undefined && own.has(faces, target.port)) {
        return refuse(
          `${where} port ${String(target.port)} is this server itself; http.egress.allowOwn does not list all`,
        );
      }
    }
    const explicit = !this.#allowsAll && matches(this.#allow, name, faces);
    if (!this.#allowsAll && !explicit) return refuse(`${where} is not on the allow list (http.egress.allow)`);
    if (!anyContains(privateNetworks, faces)) return allowed;
    if (target.fromData) {
      return matches(this.#fromData, name, faces)
        ? allowed
        : refuse(`${where} is private and its URL comes from data; http.egress.allowPrivateFromData does not list it`);
    }
    return this.#allowPrivate || explicit
      ? allowed
      : refuse(`${where} is a private address (http.egress.allowPrivate)`);
  }
}

/** What is known of an address that a proxy resolves. */
function facesOfName(name: string): readonly AddressBytes[] {
  return loopbackName.test(name) ? [loopback] : [];
}

const allowed: EgressDecision = { allowed: true };

function refuse(reason: string): EgressDecision {
  return { allowed: false, reason: `Egress refused: ${reason}.` };
}

function matches(list: EntryList, name: string, faces: readonly AddressBytes[]): boolean {
  return (
    list.names.has(name) || list.suffixes.some((suffix) => name.endsWith(suffix)) || anyContains(list.networks, faces)
  );
}

function anyContains(list: readonly Network[], faces: readonly AddressBytes[]): boolean {
  return list.some((network) => faces.some((face) => networkContains(network, face)));
}
