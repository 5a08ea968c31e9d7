/**
 * Bounds on label values that come from outside: definitions, steps, hosts. Series are grouped by such values; when a new
 * group would exceed the limit, the group that has been idle longest is folded into the group `other`, sums and all.
 */
import type { Cell } from './cells.ts';
import type { Family } from './families.ts';

/** Label value of everything beyond the limit. */
const otherLabel = 'other';

/** All series with one set of outside values. Keep it, and the cells it gives, to count without any lookup. */
export class LabelGroup {
  readonly values: readonly string[];
  readonly #groups: LabelGroups;
  /** How to fold each cell that was given out, by its series; undefined in a group that is never folded. */
  readonly #folds: Map<string, (heir: LabelGroup) => void> | undefined;
  #heir: LabelGroup | undefined;
  /** The epoch in which it was used last. */
  usedIn: number;

  constructor(groups: LabelGroups, values: readonly string[], isPermanent: boolean) {
    this.#groups = groups;
    this.values = values;
    this.usedIn = groups.epoch;
    this.#folds = isPermanent ? undefined : new Map<string, (heir: LabelGroup) => void>();
  }

  /** Says that the group is in use. */
  touch(): void {
    this.usedIn = this.#groups.epoch;
  }

  /** The cell of this group in a family whose first labels are the group's. Keep it: every call looks it up. */
  cell<C extends Cell<C>>(family: Family<C>, ...rest: readonly string[]): C {
    if (this.#heir !== undefined) return this.#heir.cell(family, ...rest);
    const cell = family.cell(...this.values, ...rest);
    this.#folds?.set([family.name, ...rest].join('\0'), (heir) => {
      cell.foldInto(heir.cell(family, ...rest));
      family.remove(...this.values, ...rest);
    });
    return cell;
  }

  /** Hands everything over to another group; what is counted here later goes there, too. */
  foldInto(heir: LabelGroup): void {
    this.#heir = heir;
    for (const fold of this.#folds?.values() ?? []) fold(heir);
    this.#folds?.clear();
  }
}

/** Groups of one kind. */
export class LabelGroups {
  readonly #limit: number;
  readonly #labelCount: number;
  readonly #groups = new Map<string, LabelGroup>();
  #other: LabelGroup | undefined;
  /** Advances with every look at the metrics and every new group: idle groups fall behind. */
  epoch = 0;

  /** `limit` groups, `other` not counted, each of `labelCount` values. */
  constructor(limit: number, labelCount: number) {
    this.#limit = limit;
    this.#labelCount = labelCount;
  }

  /** The group of these values; made when it is asked for first. */
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
