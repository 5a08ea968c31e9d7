import { CounterCell, GaugeCell, HistogramCell, durationBuckets, type Cell } from './cells.ts';

type SeriesType = 'counter' | 'gauge' | 'histogram';

interface Member<C> {
  readonly labels: string;
  readonly cell: C;
}

/** One metric: a name, its label names, and one cell per set of label values. */
export class Family<C extends Cell<C>> {
  readonly name: string;
  readonly labelNames: readonly string[];
  readonly #help: string;
  readonly #type: SeriesType;
  readonly #create: () => C;
  readonly #members = new Map<string, Member<C>>();

  constructor(type: SeriesType, name: string, help: string, labelNames: readonly string[], create: () => C) {
    this.name = name;
    this.labelNames = labelNames;
    this.#help = help;
    this.#type = type;
    this.#create = create;
    // A family without labels has one series, visible before its first count.
    if (labelNames.length === 0) this.cell();
  }

  /** The cell of these label values, in the order of `labelNames`; created on first use. */
  cell(...values: readonly string[]): C {
    const key = values.join('\0');
    let member = this.#members.get(key);
    if (member === undefined) {
      const labels = this.labelNames.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`).join(',');
      member = { labels, cell: this.#create() };
      this.#members.set(key, member);
    }
    return member.cell;
  }

  /** Removes the series of these label values, if it exists. */
  remove(...values: readonly string[]): void {
    this.#members.delete(values.join('\0'));
  }

  /** Removes all series. */
  clear(): void {
    this.#members.clear();
  }

  /** The family in the Prometheus text format; only its HELP and TYPE lines while it has no series. */
  render(): string {
    const lines = [`# HELP ${this.name} ${this.#help}`, `# TYPE ${this.name} ${this.#type}`];
    for (const { labels, cell } of this.#members.values()) lines.push(cell.render(this.name, labels));
    return lines.join('\n');
  }
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** All metric families of the process. */
export class Families {
  readonly #families = new Map<string, { render(): string }>();

  /** Creates a counter. Its name ends in `_total`. */
  counter(name: string, help: string, ...labelNames: readonly string[]): Family<CounterCell> {
    return this.#add(new Family('counter', name, help, labelNames, () => new CounterCell()));
  }

  /** Creates a gauge. */
  gauge(name: string, help: string, ...labelNames: readonly string[]): Family<GaugeCell> {
    return this.#add(new Family('gauge', name, help, labelNames, () => new GaugeCell()));
  }

  /** Creates a histogram of seconds. */
  durations(name: string, help: string, ...labelNames: readonly string[]): Family<HistogramCell> {
    return this.histogram(name, help, durationBuckets, ...labelNames);
  }

  /** Creates a histogram with the given bounds. */
  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    ...labelNames: readonly string[]
  ): Family<HistogramCell> {
    return this.#add(new Family('histogram', name, help, labelNames, () => new HistogramCell(bounds)));
  }

  /** All families in the Prometheus text format. */
  render(): string {
    return [...this.#families.values()].map((family) => family.render()).join('\n\n');
  }

  #add<C extends Cell<C>>(family: Family<C>): Family<C> {
    if (this.#families.has(family.name)) throw new Error(`There is a metric ${family.name} already.`);
    this.#families.set(family.name, family);
    return family;
  }
}
