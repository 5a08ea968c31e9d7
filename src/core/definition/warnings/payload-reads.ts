import type { RequiredPath } from '../../plan.ts';
import { pathOfKeys } from '../../template/path-keys.ts';
import { closest, quote, type Problems } from '../problems.ts';
import type { Read } from '../compiling.ts';

/** A tree of required keys, by name. */
interface Keys extends ReadonlyMap<string, Keys> {}

/** Maximum number of name comparisons per definition. Far more than real definitions need; bounds hostile ones. */
const maxComparisons = 20_000;

/** Warns about reads of the payload that look like misspelled paths of `requiredPayload`. */
export function warnOfMistypedPayload(
  reads: readonly Read[],
  required: readonly RequiredPath[],
  problems: Problems,
): void {
  if (required.length === 0) return;
  const root = treeOf(required);
  let comparisons = 0;
  for (const { place, path } of reads) {
    const { within } = path;
    if (within === undefined) continue;
    const { siblings, at } = firstUnknown(within, root);
    const key = within[at];
    if (key === undefined || /^\d+$/.test(key) || comparisons + siblings.size > maxComparisons) continue;
    comparisons += siblings.size;
    const candidates = [...siblings.keys()].filter((sibling) => stem(sibling) !== stem(key));
    const meant = closest(key, candidates);
    if (meant === undefined) continue;
    const suggestion = pathOfKeys(['payload', ...within.with(at, meant)]);
    problems.warn(place, `${quote(path.text)} is not in requiredPayload; did you mean ${quote(suggestion)}?`);
  }
}

function treeOf(required: readonly RequiredPath[]): Keys {
  const root = new Map<string, Keys>();
  for (const { keys } of required) {
    let below = root;
    for (const key of keys) {
      const known = below.get(key) as Map<string, Keys> | undefined;
      const next = known ?? new Map<string, Keys>();
      if (known === undefined) below.set(key, next);
      below = next;
    }
  }
  return root;
}

/** The position of the first key that `requiredPayload` does not contain, and the required keys at that level. */
function firstUnknown(keys: readonly string[], root: Keys): { readonly at: number; readonly siblings: Keys } {
  let siblings = root;
  for (const [at, key] of keys.entries()) {
    const below = siblings.get(key);
    if (below === undefined) return { at, siblings };
    siblings = below;
  }
  return { at: keys.length, siblings };
}

/** Strips a plural or number: `item`, `items` and `item2` are usually distinct fields, not typing errors. */
const stem = (key: string): string => key.replace(/(?:s|_?\d+)$/i, '');
