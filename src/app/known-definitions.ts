import type { Plan } from '../core/plan.ts';
import { BoundedMap } from '../engine/bounded-map.ts';

/** Approximate bound on the memory of all cached definitions, in bytes. */
const maxKnownBytes = 32 * 1024 * 1024;

/** A compiled stored definition. */
export interface KnownDefinition {
  readonly plan: Plan;
  /** JSON text of the definition. */
  readonly definition: string;
}

/**
 * Caches stored definitions as last read, by name and version, bounded. A start uses a cached definition without
 * reading it first; its insert then checks that the definition is still stored.
 */
export class KnownDefinitions {
  readonly #known: BoundedMap<string, KnownDefinition>;

  /** `size` is the largest number of definitions. */
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

  /** Caches a definition; replaces an earlier one of that name and version. */
  remember(known: KnownDefinition): void {
    this.#known.set(keyOf(known.plan.name, known.plan.version), known);
  }
}

function keyOf(name: string, version: string): string {
  return `${String(name.length)} ${name}${version}`;
}
