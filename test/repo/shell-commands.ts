/** The commands within a block of shell, as far as our documents write any: no loops, no functions, no here-documents. */

/** One simple command. */
export interface ShellCommand {
  /** Words with their quotes taken away; variables stay as written. */
  readonly words: readonly string[];
  /** Names of the variables that are set before it. */
  readonly assignments: readonly string[];
}

/** Splits a block into its simple commands: those of a pipe one by one, comments left out. */
export function commandsIn(block: string): readonly ShellCommand[] {
  const commands: ShellCommand[] = [];
  let words: string[] = [];
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    const first = words.findIndex((each) => !/^\w+=/.test(each));
    const start = first < 0 ? words.length : first;
    if (words.length > 0) {
      const assignments = words.slice(0, start).map((each) => each.split('=', 1)[0] ?? '');
      commands.push({ words: words.slice(start), assignments });
    }
    words = [];
  };
  // One alternative for each thing that means something to the shell; `<id>` is a place for the reader to fill in.
  const tokens =
    /\\\n|\d?>{1,2}&?[ \t]*\S+|\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)"|(<[a-z][^<>\n]*>|\$\([^()]*\))|([ \t]+)(?:#[^\n]*)?|(\|\||&&|[;|&\n])|([^\s])/gs;
  for (const [, escaped, single, double, place, blank, end, plain] of block
    .replaceAll(/^#.*$/gm, '')
    .matchAll(tokens)) {
    if (end !== undefined) endCommand();
    else if (blank !== undefined) endWord();
    else {
      const text = escaped ?? single ?? double?.replaceAll(/\\(.)/g, '$1') ?? place ?? plain;
      if (text !== undefined) word = (word ?? '') + text;
    }
  }
  endCommand();
  return commands.filter(({ words: each }) => each.length > 0);
}
