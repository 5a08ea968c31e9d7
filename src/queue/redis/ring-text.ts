/**
 * The form of a ring in a bell: text beside its delay. The same text is the same ring, so a bell that rings often
 * before its member listens stays small.
 */
import type { Ring } from '../../ports/shard-queue.ts';

/**
 * A ring without its delay: `<count>.<index>.<hops>.<m where members changed><l where a claim was lost>.<id>`, parts empty
 * where they are absent.
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
