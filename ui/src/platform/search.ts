/** The search part of an address: plain names and repeated values, as the API has them. */
export type Search = Readonly<Record<string, readonly string[]>>;

/** Reads `?status=FAILED&status=CORRUPTED`. */
export function parseSearch(text: string): Search {
  const found = Map.groupBy(new URLSearchParams(text), ([name]) => name);
  return Object.fromEntries([...found].map(([name, values]) => [name, values.map(([, value]) => value)]));
}

/** Writes a search part with its question mark; empty without values. */
export function stringifySearch(search: Readonly<Record<string, unknown>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    for (const each of Array.isArray(value) ? (value as readonly unknown[]) : [value]) {
      if (typeof each === 'string' && each !== '') parameters.append(name, each);
    }
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
