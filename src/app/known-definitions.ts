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
 * Stored definitions as this process last read them, by name and version, bounded: a start goes by them and lets its insert
 * find out whether they are still stored, so that it need not read them first.
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

  /** As it was last read; by now it may be gone, or another may have its name and version. */
  recall(name: string, version: string): KnownDefinition | undefined {
    return this.#known.get(keyOf(name, version));
  }

  /** Keeps what a record says, in the place of what was known of that name and version. */
  remember(known: KnownDefinition): void {
    this.#known.set(keyOf(known.plan.name, known.plan.version), known);
  }
}

function keyOf(name: string, version: string): string {
  return JSON.stringify([name, version]);
}
