/** Arguments of scripts in sequence, and lists in their replies. */
import type { Held, Renewed, ShardEnding, ShardItem } from '../../ports/shard-queue.ts';

type Argument = string | number;

/** The arguments, followed by those that `add` appends for each item. */
export function flat<Item>(
  args: Argument[],
  items: readonly Item[],
  add: (args: Argument[], item: Item) => void,
): readonly Argument[] {
  for (const item of items) add(args, item);
  return args;
}

/** Appends when an item is due, and its id. */
export function delayAndId(args: Argument[], { id, delayMillis }: ShardItem): void {
  args.push(Math.ceil(delayMillis), id);
}

/** Appends a claim to renew. */
export function renewedTriple(args: Argument[], { id, token, delayMillis }: Renewed): void {
  args.push(id, token, Math.ceil(delayMillis));
}

/** Appends the end of a claim. */
export function endingTriple(args: Argument[], { id, token, next }: ShardEnding): void {
  args.push(id, token, codeOf(next));
}

/** The end of a claim in the form of finish.lua. */
function codeOf(next: ShardEnding['next']): number {
  if (next === 'gone') return -1;
  return next === 'back' ? -2 : Math.max(0, Math.ceil(next));
}

/** Claims from pairs of id and token. */
export function heldOf(flat: readonly string[]): readonly Held[] {
  const held: Held[] = [];
  for (let at = 0; at < flat.length; at += 2) held.push({ id: flat[at] as string, token: flat[at + 1] as string });
  return held;
}
