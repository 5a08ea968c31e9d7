/**
 * Whether a name matches one of the globs, in which `*` matches any characters, including none. Without a list every
 * name matches; an empty list matches none.
 */
export function fitsGlobs(name: string, globs: readonly string[] | undefined): boolean {
  return globs === undefined || globs.some((glob) => fits(name, glob.split('*')));
}

/** Whether the parts occur in the name in order, the first at its start and the last at its end. */
function fits(name: string, parts: readonly string[]): boolean {
  const [first = '', ...others] = parts;
  const last = others.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false;
  let at = first.length;
  for (const part of others) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}
