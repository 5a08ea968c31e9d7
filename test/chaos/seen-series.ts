import { type MetricFamily, parseMetrics, type Sample } from '../metrics-text.ts';
import type { Pod } from './pod.ts';

/** A sample with the name of its metric. */
export interface SeenSample extends Sample {
  readonly family: string;
}

/** Everything that `/metrics` of some pods has shown so far: series come and go with what they tell of. */
export class SeenSeries {
  readonly #families = new Map<string, MetricFamily>();
  /** By name and labels, the value as seen last. */
  readonly #samples = new Map<string, SeenSample>();
  /** Values seen of each metric. */
  readonly #values = new Map<string, Set<number>>();

  /** Reads the metrics of those that are in service. */
  async look(pods: readonly Pod[]): Promise<void> {
    for (const pod of pods.filter(({ isInService }) => isInService)) {
      const { text } = await pod.ask('GET', '/metrics');
      for (const family of parseMetrics(text)) this.#see(family);
    }
  }

  #see(family: MetricFamily): void {
    const { name } = family;
    this.#families.set(name, { ...family, samples: family.samples.length > 0 ? family.samples : this.#last(name) });
    for (const sample of family.samples) {
      this.#samples.set(JSON.stringify([sample.name, sample.labels]), { ...sample, family: name });
      let seen = this.#values.get(name);
      if (seen === undefined) this.#values.set(name, (seen = new Set()));
      seen.add(sample.value);
    }
  }

  #last(name: string): readonly Sample[] {
    return this.#families.get(name)?.samples ?? [];
  }

  /** Names of all metrics, those without samples included. */
  get names(): readonly string[] {
    return [...this.#families.keys()];
  }

  get samples(): readonly SeenSample[] {
    return [...this.#samples.values()];
  }

  /** Head and latest samples of a metric. */
  family(name: string): MetricFamily | undefined {
    return this.#families.get(name);
  }

  /** Whether a metric had a sample, of that value if one is given. */
  has(name: string, value?: number): boolean {
    const seen = this.#values.get(name);
    return seen !== undefined && (value === undefined || seen.has(value));
  }

  /** Values of a label. */
  values(name: string, label: string): ReadonlySet<string> {
    const ofMetric = this.samples.filter(({ family }) => family === name);
    return new Set(ofMetric.flatMap(({ labels }) => labels[label] ?? []));
  }
}
