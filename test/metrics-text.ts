/** Reads the text format of Prometheus, strictly: what does not belong into it is an error. */

/** One number. */
export interface Sample {
  /** As written: of a histogram with `_bucket`, `_sum` or `_count`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric: its head and all its samples. */
export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** Value of a sample with these labels, or the first one when none are given. */
export function sampleOf(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  return parseMetrics(text)
    .flatMap(({ samples }) => samples)
    .find((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    ?.value;
}

/**
 * All families, in their order.
 *
 * @throws Error for a line that is none, and for a sample without the head of its family.
 */
export function parseMetrics(text: string): readonly MetricFamily[] {
  const families: { name: string; type: string; help: string; samples: Sample[] }[] = [];
  const latest = (): (typeof families)[number] => {
    const family = families.at(-1);
    if (family === undefined) throw new Error('A sample comes before any family.');
    return family;
  };
  for (const line of text.split('\n')) {
    const help = /^# HELP (\S+) ?(.*)$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge|histogram|summary)$/.exec(line);
    if (line === '') continue;
    if (help !== null) families.push({ name: help[1] ?? '', type: '', help: help[2] ?? '', samples: [] });
    else if (type !== null && latest().name === type[1]) latest().type = type[2] ?? '';
    else latest().samples.push(sampleIn(line, latest()));
  }
  return families;
}

function sampleIn(line: string, family: { readonly name: string; readonly type: string }): Sample {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  if (match === null) throw new Error(`This is no sample: ${line}`);
  const [, name = '', inner = '', value = ''] = match;
  const suffix = name.slice(family.name.length);
  const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['', '_sum', '_count'];
  if (!name.startsWith(family.name) || !suffixes.includes(suffix)) {
    throw new Error(`A sample of another family than ${family.name}: ${line}`);
  }
  return { name, labels: labelsIn(inner), value: value === '+Inf' ? Infinity : Number(value) };
}

function labelsIn(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/g)];
  if (pairs.map(([whole]) => whole).join('') !== text) throw new Error(`These are no labels: ${text}`);
  const unescape = (value: string): string =>
    value.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, unescape(value)]));
}
