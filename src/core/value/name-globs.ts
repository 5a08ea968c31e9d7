/** Globs of names: `*` stands for any characters, also none, and everything else for itself. */

/** Whether a name fits one of the globs. Without a list every name does; an empty one fits nothing. */
export function fitsGlobs(name: string, globs: readonly string[] | undefined): boolean {
  return globs === undefined || globs.some((glob) => fits(name, glob.split('*')));
}

/** Whether the parts follow each other in the name, the first at its start and the last at its end. */
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
