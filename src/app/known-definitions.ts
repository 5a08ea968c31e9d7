import type { Plan } from '../core/plan.ts';
import { BoundedMap } from '../engine/bounded-map.ts';

/** About how many bytes of memory all of them may take. */
const maxKnownBytes = 32 * 1024 * 1024;

/** What a stored definition says. */
export interface KnownDefinition {
  readonly plan: Plan;
  /** JSON text of the definition. */
  readonly definition: string;
}

/**
 * Stored definitions as this process last read them, by name and version, bounded. A start relies on them, and its insert
 * checks that they are still stored, so that the start reads nothing first.
 */
export class KnownDefinitions {
  readonly #known: BoundedMap<string, KnownDefinition>;

  /** `size` is the most that it keeps. */
  constructor(size: number) {
    this.#known = new BoundedMap(size, {
      most: maxKnownBytes,
      of: ({ plan, definition }) => plan.weight + 2 * definition.length,
    });
  }

  /** The definition as last read; it may have been removed or replaced since. */
  recall(name: string, version: string): KnownDefinition | undefined {
    return this.#known.get(keyOf(name, version));
  }

  /** Keeps a definition, replacing an earlier one of that name and version. */
  remember(known: KnownDefinition): void {
    this.#known.set(keyOf(known.plan.name, known.plan.version), known);
  }
}

function keyOf(name: string, version: string): string {
  return JSON.stringify([name, version]);
}
