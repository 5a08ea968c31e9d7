/** Globs of names (see `ExecutionFilter.nameGlobs`) as patterns of LIKE. */
import { encodeText } from './columns/text-column.ts';

/** The patterns, for `name LIKE ANY (…)`. */
export function nameIsLike(globs: readonly string[]): readonly string[] {
  return globs.map((glob) =>
    glob
      .split('*')
      .map((part) => encodeText(part).replaceAll(/[\\%_]/g, String.raw`\$&`))
      .join('%'),
  );
}
