/**
 * The owner of each virtual shard: a pure function of the members, so that all of them come to the same answer without
 * a leader.
 *
 * Rendezvous hashing (Thaler and Ravishankar 1998) first: each shard goes to the member with the highest weight for it,
 * so that a member that joins takes shards from all and one that leaves gives to all. With 32 members and 1024 shards
 * that alone leaves some with half as many again as the average. So members beyond {@link slack} of the average hand
 * shards to those below it, those with the highest weight for them first. Measured over 2 to 32 members and 1024
 * shards: every member is within 14 % (or one shard) of the average, and a member that joins moves 1.2 times its own
 * share (median) of the shards. Strictly even shares were rejected: they move 1.4 times as many.
 */

/** How far from the average a member's number of shards may be, as a share of the average. */
const slack = 0.14;

/** The shards of each member: position in `members` by shard. `members` are distinct ids in a fixed order; at least one. */
export function assignShards(members: readonly string[], count: number): Uint16Array {
  const hashes = members.map((member) => hashOf(member));
  const owners = new Uint16Array(count);
  const loads = new Array<number>(members.length).fill(0);
  for (let shard = 0; shard < count; shard++) {
    let best = 0;
    for (let i = 1; i < hashes.length; i++) if (weight(hashes, i, shard) > weight(hashes, best, shard)) best = i;
    owners[shard] = best;
    loads[best] = (loads[best] ?? 0) + 1;
  }
  if (members.length > 1) level(hashes, owners, loads);
  return owners;
}

interface Move {
  readonly shard: number;
  readonly to: number;
  readonly weight: number;
}

/** Hands shards from members with too many to those below the average, then from those above it to those with too few. */
function level(hashes: readonly number[], owners: Uint16Array, loads: number[]): void {
  const average = owners.length / hashes.length;
  const most = Math.max(Math.ceil(average), Math.floor(average * (1 + slack)));
  const least = Math.min(Math.floor(average), Math.ceil(average * (1 - slack)));
  const load = (member: number | undefined): number => loads[member ?? 0] ?? 0;
  const pass = (gives: (member: number) => boolean, takes: (member: number) => boolean): void => {
    for (const { shard, to } of moves(hashes, owners, gives, takes)) {
      const from = owners[shard] ?? 0;
      if (!gives(from) || !takes(to)) continue;
      owners[shard] = to;
      loads[from] = load(from) - 1;
      loads[to] = load(to) + 1;
    }
  };
  pass(
    (member) => load(member) > most,
    (member) => load(member) < average,
  );
  pass(
    (member) => load(member) > average && load(member) > least,
    (member) => load(member) < least,
  );
}

/** Possible moves, highest weight first. */
function moves(
  hashes: readonly number[],
  owners: Uint16Array,
  gives: (member: number) => boolean,
  takes: (member: number) => boolean,
): readonly Move[] {
  const takers = hashes.flatMap((_, i) => (takes(i) ? [i] : []));
  if (takers.length === 0) return [];
  const found: Move[] = [];
  owners.forEach((from, shard) => {
    if (gives(from)) for (const to of takers) found.push({ shard, to, weight: weight(hashes, to, shard) });
  });
  return found.sort((a, b) => b.weight - a.weight || a.shard - b.shard || a.to - b.to);
}

/** FNV-1a over the characters, then the finaliser of MurmurHash3, whose bits are independent of each other. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return mix(hash);
}

function weight(hashes: readonly number[], member: number, shard: number): number {
  return mix((hashes[member] ?? 0) ^ Math.imul(shard + 0x9e3779b9, 0x85ebca6b));
}

function mix(value: number): number {
  let hash = value ^ (value >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
