/** Levenshtein distance: the characters to insert, delete or replace to turn one text into the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/**
 * The known name that was most likely meant: it differs only in case, has the same last part in another group, or is
 * within a few typing errors. Undefined if there is none.
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  const last = lower.slice(lower.lastIndexOf('.') + 1);
  const scored = known.map((candidate) => {
    const other = candidate.toLowerCase();
    const isMoved = other.slice(other.lastIndexOf('.') + 1) === last;
    return { candidate, score: isMoved ? Math.min(1, distance(lower, other)) : distance(lower, other) };
  });
  const best = scored.toSorted((a, b) => a.score - b.score)[0];
  return best !== undefined && best.score <= Math.max(2, Math.floor(name.length / 5)) ? best.candidate : undefined;
}
