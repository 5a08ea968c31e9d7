import type { Ring } from '../../ports/shard-queue.ts';

/**
 * A ring as text, without its delay: `<count>.<index>.<hops>.<m if members changed><l if a claim was lost>.<id>`, with
 * empty parts for absent fields. Rings with the same text count once, so a bell stays small while its member does not
 * listen.
 */
export function ringText({ shard, hops, members, id, lost }: Ring): string {
  const place = shard === undefined ? '.' : `${String(shard.count)}.${String(shard.index)}`;
  const flags = `${members === true ? 'm' : ''}${lost === true ? 'l' : ''}`;
  return `${place}.${hops === undefined ? '' : String(hops)}.${flags}.${id ?? ''}`;
}

/** Parses {@link ringText}; undefined for other text. */
export function parseRing(text: string, delayMillis: number): Ring | undefined {
  const match = /^(?:(\d+)\.(\d+)|\.)\.(\d*)\.(m?)(l?)\.(.*)$/s.exec(text);
  if (match === null) return undefined;
  const [, count, index, hops = '', members = '', lost = '', id = ''] = match;
  return {
    ...(count !== undefined && { shard: { count: Number(count), index: Number(index) } }),
    delayMillis,
    ...(id !== '' && { id }),
    ...(members !== '' && { members: true as const }),
    ...(lost !== '' && { lost: true as const }),
    ...(hops !== '' && { hops: Number(hops) }),
  };
}
