import { expect, it } from 'vitest';
import type { Connections } from '../connection/connections.ts';
import { PinnedBodies } from './pinned-bodies.ts';

/** The texts of a binary array without nulls. */
function textsOf(array: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 20; at < array.length;) {
    const end = at + 4 + array.readInt32BE(at);
    texts.push(array.toString('utf8', at + 4, end));
    at = end;
  }
  return texts;
}

/** A database that numbers definitions as they come. */
function connections(): Connections {
  const numbers = new Map<string, number>();
  return {
    query(_kind: string, { text, values }: { text: string; values: readonly Buffer[] }) {
      const [hashes = [], names = [], versions = []] = values.map(textsOf);
      if (text.includes('INSERT')) {
        for (const hash of hashes) if (!numbers.has(hash)) numbers.set(hash, numbers.size + 1);
        return Promise.resolve([]);
      }
      return Promise.resolve(
        hashes.map((hash, i) => ({ no: numbers.get(hash), hash, name: names[i], version: versions[i] })),
      );
    },
  } as unknown as Connections;
}

const pinned = (n: number): { definitionHash: string; name: string; version: string; definition: string } => ({
  definitionHash: `hash ${String(n)}`,
  name: 'n',
  version: String(n),
  definition: '{}',
});

it('knows the numbers of a batch in which it forgets all that it knew', async () => {
  const bodies = new PinnedBodies(connections());
  for (let from = 0; from < 5000; from += 500) {
    await bodies.numbers(Array.from({ length: 500 }, (_, i) => pinned(from + i)));
  }
  const [seven, eight] = await bodies.numbers([pinned(7), pinned(8)]);
  expect(await bodies.numbers([pinned(7), pinned(9999), pinned(8)])).toEqual([seven, 5001, eight]);
});
