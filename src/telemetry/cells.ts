/** Upper bounds of duration buckets in seconds: 1 ms to 24 h. */
export const durationBuckets: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200,
  14_400, 43_200, 86_400,
];

/** Upper bounds of batch size buckets. */
export const sizeBuckets: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/**
 * The value of one series: one set of label values of one family. The counting code keeps the cell, so that counting is
 * an addition. prom-client looks labels up at every observation, which costs more than the rest of a checkpoint.
 */
export interface Cell<Self> {
  /** Adds everything counted so far to `heir`, and forwards later counts to it. */
  foldInto(heir: Self): void;
  /** Lines of the Prometheus text format; `labels` is empty or `a="b",c="d"`. */
  render(name: string, labels: string): string;
}

const braced = (labels: string): string => (labels === '' ? '' : `{${labels}}`);

/** A number that only grows. */
export class CounterCell implements Cell<CounterCell> {
  #value = 0;
  #heir: CounterCell | undefined;

  /** Adds one or `by`, which must not be negative. */
  add(by: number = 1): void {
    if (this.#heir === undefined) this.#value += by;
    else this.#heir.add(by);
  }

  foldInto(heir: CounterCell): void {
    heir.add(this.#value);
    this.#value = 0;
    this.#heir = heir;
  }

  render(name: string, labels: string): string {
    return `${name}${braced(labels)} ${this.#value}`;
  }
}

/** A number that can go up and down; keeps the last value set. */
export class GaugeCell implements Cell<GaugeCell> {
  #value = 0;

  set(value: number): void {
    this.#value = value;
  }

  /** Does nothing, since gauge values do not add up. */
  foldInto(): void {
    this.#value = 0;
  }

  render(name: string, labels: string): string {
    return `${name}${braced(labels)} ${this.#value}`;
  }
}

/** Counts of values per bucket. */
export class HistogramCell implements Cell<HistogramCell> {
  readonly #bounds: readonly number[];
  /** Per bucket, not cumulative; the last bucket has the values above every bound. */
  readonly #counts: number[];
  #sum = 0;
  #heir: HistogramCell | undefined;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  /** Observes a value; ignores one that is not a finite number. */
  observe(value: number): void {
    if (this.#heir !== undefined) {
      this.#heir.observe(value);
      return;
    }
    if (!Number.isFinite(value)) return;
    const bounds = this.#bounds;
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= (bounds[middle] as number)) high = middle;
      else low = middle + 1;
    }
    this.#counts[low] = (this.#counts[low] as number) + 1;
    this.#sum += value;
  }

  foldInto(heir: HistogramCell): void {
    heir.#absorb(this.#counts, this.#sum);
    this.#counts.fill(0);
    this.#sum = 0;
    this.#heir = heir;
  }

  #absorb(counts: readonly number[], sum: number): void {
    for (let i = 0; i < counts.length; i++) this.#counts[i] = (this.#counts[i] as number) + (counts[i] as number);
    this.#sum += sum;
  }

  render(name: string, labels: string): string {
    const prefix = labels === '' ? '' : `${labels},`;
    let total = 0;
    const lines = this.#bounds.map((bound, index) => {
      total += this.#counts[index] as number;
      return `${name}_bucket{${prefix}le="${bound}"} ${total}`;
    });
    total += this.#counts[this.#bounds.length] as number;
    lines.push(
      `${name}_bucket{${prefix}le="+Inf"} ${total}`,
      `${name}_sum${braced(labels)} ${this.#sum}`,
      `${name}_count${braced(labels)} ${total}`,
    );
    return lines.join('\n');
  }
}
