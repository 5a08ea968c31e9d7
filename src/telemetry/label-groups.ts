import type { Cell } from './cells.ts';
import type { Family } from './families.ts';

/** Label value of all folded groups. */
const otherLabel = 'other';

/**
 * All series with one set of external label values. Callers keep the group and its cells, to count without a lookup.
 */
export class LabelGroup {
  readonly values: readonly string[];
  readonly #groups: LabelGroups;
  /** Folds each cell of the group, by its series; undefined in a group that is never folded. */
  readonly #folds: Map<string, (heir: LabelGroup) => void> | undefined;
  #heir: LabelGroup | undefined;
  /** The epoch in which the group was last used. */
  usedIn: number;

  constructor(groups: LabelGroups, values: readonly string[], isPermanent: boolean) {
    this.#groups = groups;
    this.values = values;
    this.usedIn = groups.epoch;
    this.#folds = isPermanent ? undefined : new Map<string, (heir: LabelGroup) => void>();
  }

  /** Marks the group as used. */
  touch(): void {
    this.usedIn = this.#groups.epoch;
  }

  /** The group's cell in a family whose first labels are the group's. Callers keep it, since every call looks it up. */
  cell<C extends Cell<C>>(family: Family<C>, ...rest: readonly string[]): C {
    if (this.#heir !== undefined) return this.#heir.cell(family, ...rest);
    const cell = family.cell(...this.values, ...rest);
    this.#folds?.set([family.name, ...rest].join('\0'), (heir) => {
      cell.foldInto(heir.cell(family, ...rest));
      family.remove(...this.values, ...rest);
    });
    return cell;
  }

  /** Adds everything to another group, and forwards later counts to it. */
  foldInto(heir: LabelGroup): void {
    this.#heir = heir;
    for (const fold of this.#folds?.values() ?? []) fold(heir);
    this.#folds?.clear();
  }
}

/**
 * Bounds label values that come from outside: definitions, steps, hosts. Above the limit, a new group makes the least
 * recently used one fold into the group `other`, with all its sums.
 */
export class LabelGroups {
  readonly #limit: number;
  readonly #labelCount: number;
  readonly #groups = new Map<string, LabelGroup>();
  #other: LabelGroup | undefined;
  /** Advances with every scrape and every new group, so that idle groups fall behind. */
  epoch = 0;

  /** `limit` groups, besides `other`, of `labelCount` values each. */
  constructor(limit: number, labelCount: number) {
    this.#limit = limit;
    this.#labelCount = labelCount;
  }

  /** The group of these values; created on first use. */
  group(...values: readonly string[]): LabelGroup {
    const key = values.join('\0');
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    if (this.#groups.size >= this.#limit) this.#foldIdlest();
    this.epoch++;
    const group = new LabelGroup(this, values, false);
    this.#groups.set(key, group);
    return group;
  }

  #foldIdlest(): void {
    let idlest: LabelGroup | undefined;
    for (const group of this.#groups.values()) {
      if (idlest === undefined || group.usedIn < idlest.usedIn) idlest = group;
    }
    if (idlest === undefined) return;
    this.#other ??= new LabelGroup(
      this,
      Array.from({ length: this.#labelCount }, () => otherLabel),
      true,
    );
    this.#groups.delete(idlest.values.join('\0'));
    idlest.foldInto(this.#other);
  }
}
