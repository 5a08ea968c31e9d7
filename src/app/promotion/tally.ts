import { hash } from 'node:crypto';
import { copiedKinds, type CopiedKind, type CopiedRows } from '../../ports/promotion.ts';

const digestBytes = 32;

const statusColumn = 14;

/**
 * Counts rows and digests their content regardless of order, to compare two stores. Rows are distinct, so the digest is
 * the XOR of their SHA-256 hashes.
 */
export class Tally {
  readonly #counts = new Map<CopiedKind, number>();
  readonly #digests = new Map<CopiedKind, Buffer>();
  readonly #statuses = new Map<string, number>();

  add<K extends CopiedKind>(kind: K, rows: readonly CopiedRows[K][]): void {
    const digest = this.#digestOf(kind);
    for (const row of rows) {
      const one = hash('sha256', JSON.stringify(row), 'buffer');
      for (let i = 0; i < digestBytes; i++) digest[i] = (digest[i] as number) ^ (one[i] as number);
      if (kind === 'execution') {
        const status = row[statusColumn] as string;
        this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
      }
    }
    this.#counts.set(kind, this.count(kind) + rows.length);
  }

  count(kind: CopiedKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** Executions by status. */
  get statuses(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#statuses].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** One digest of all kinds. */
  get digest(): string {
    const parts = copiedKinds.map((kind) => `${kind} ${this.count(kind)} ${this.#hex(kind)}`);
    return hash('sha256', parts.join('\n'));
  }

  /** The differences from another tally, as sentences. */
  differences(other: Tally): readonly string[] {
    const found = copiedKinds.flatMap((kind) => {
      const [mine, theirs] = [this.count(kind), other.count(kind)];
      if (mine !== theirs) return [`${kind}: ${mine} here, ${theirs} in the target.`];
      return this.#hex(kind) === other.#hex(kind) ? [] : [`${kind}: the number is equal, but the content differs.`];
    });
    const statuses = new Set([...this.#statuses.keys(), ...other.#statuses.keys()]);
    for (const status of statuses) {
      const [mine, theirs] = [this.#statuses.get(status) ?? 0, other.#statuses.get(status) ?? 0];
      if (mine !== theirs) found.push(`executions that are ${status}: ${mine} here, ${theirs} in the target.`);
    }
    return found;
  }

  #hex(kind: CopiedKind): string {
    return this.#digestOf(kind).toString('hex');
  }

  /** The digest of a kind; zero without rows. */
  #digestOf(kind: CopiedKind): Buffer {
    const digest = this.#digests.get(kind) ?? Buffer.alloc(digestBytes);
    this.#digests.set(kind, digest);
    return digest;
  }
}
