/** Which series, with which labels, a query of Prometheus asks for. Knows as much of the language as our queries use. */

/** One series that a query reads. */
export interface Reading {
  readonly name: string;
  /** Labels that it is filtered by. */
  readonly labels: readonly string[];
}

/** Series that a query reads: those of recording rules, with a colon in their name, included. */
export function readingsOf(expr: string): readonly Reading[] {
  const bare = expr.replaceAll(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, ' ');
  return [...bare.matchAll(/([a-z_][\w:]*)\s*(?:\{([^}]*)\})?/gi)].flatMap((match) => {
    const [all, name = '', filter = ''] = match;
    const before = bare[match.index - 1] ?? ' ';
    const after = bare.slice(match.index + all.length).trimStart();
    if (/["\d$\w:]/.test(before) || isInText(bare, match.index) || after.startsWith('(') || words.has(name)) return [];
    return [{ name, labels: [...filter.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label) }];
  });
}

/** Labels that a query groups by. */
export function groupingsOf(expr: string): readonly string[] {
  return [...expr.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map((label) => label.trim())
      .filter((label) => label !== ''),
  );
}

const words = new Set(['and', 'or', 'unless', 'offset', 'bool', 'm', 'h', 'd', 's']);

/** Whether a place lies within quotes or within the brackets of a range. */
function isInText(expr: string, at: number): boolean {
  const before = expr.slice(0, at);
  const quotes = before.split('"').length - 1;
  return (
    quotes % 2 === 1 ||
    before.lastIndexOf('[') > before.lastIndexOf(']') ||
    before.lastIndexOf('{') > before.lastIndexOf('}')
  );
}
