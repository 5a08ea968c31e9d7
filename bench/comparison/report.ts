/** What a comparison says: its rows, and the ratios that count, each from measurements made one after the other. */

/** One measurement, in the order in which they were made. */
export interface Measurement {
  /** Of a system, or `floor`. */
  readonly name: string;
  /** How long the mock takes to answer a call. */
  readonly delayMillis: number;
  readonly perSecond: number;
  /** Processor time of all its processes per workflow, in milliseconds, and what of it its stores took. */
  readonly cpuMillis: number;
  readonly storeCpuMillis?: number;
  /** From submission to the last call, saturated, in milliseconds. */
  readonly p50Millis?: number;
  readonly p99Millis?: number;
  /** From submission to the end, one workflow at a time, in milliseconds. */
  readonly aloneP50Millis?: number;
  readonly aloneP99Millis?: number;
  /** Of its largest process. */
  readonly residentMib?: number;
  /** How much of all processors was taken by what does not belong to the benchmark, in percent. */
  readonly othersPercent?: number;
}

/** A ratio with its target, where there is one. */
export interface Ratio {
  readonly what: string;
  readonly value: number;
  readonly target?: number;
}

/** How many times as many workflows as these Trama is to finish while a call takes 20 ms, by name. */
export const targets: Readonly<Record<string, number>> = { floor: 0.4, BullMQ: 0.75, DBOS: 10, Restate: 2 };

const targetDelayMillis = 20;

const fields = [
  'delayMillis',
  'perSecond',
  'cpuMillis',
  'storeCpuMillis',
  'p50Millis',
  'p99Millis',
  'aloneP50Millis',
  'aloneP99Millis',
  'residentMib',
  'othersPercent',
] as const satisfies readonly (keyof Measurement)[];

/** The middle of some values; of an even number the mean of the two in the middle. NaN of none. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (upper + lower) / 2;
}

/**
 * What `name` did around a measurement: the mean of the nearest before and the nearest after it, since the machine's speed
 * drifts. NaN when there is none.
 */
function around(run: readonly Measurement[], at: number, name: string): number {
  const before = run.slice(0, at).findLast((each) => each.name === name);
  const after = run.slice(at + 1).find((each) => each.name === name);
  const values = [before, after].flatMap((each) => (each === undefined ? [] : [each.perSecond]));
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Trama's throughput as a multiple of each other's, from a run at one delay. */
export function ratiosOf(run: readonly Measurement[]): Ratio[] {
  const names = [...new Set(run.map(({ name }) => name))].filter((name) => name !== 'Trama');
  return names.map((name) => {
    const values = run.flatMap((each, at) => {
      // The floor is measured as often as Trama: each of Trama's measurements is compared with the floor around it.
      if (name === 'floor') return each.name === 'Trama' ? [each.perSecond / around(run, at, name)] : [];
      return each.name === name ? [around(run, at, 'Trama') / each.perSecond] : [];
    });
    const target = run[0]?.delayMillis === targetDelayMillis ? targets[name] : undefined;
    const what = name === 'floor' ? 'Trama / three bare calls' : `Trama / ${name}`;
    return { what, value: median(values), ...(target === undefined ? undefined : { target }) };
  });
}

/** One row for each name: the medians of its measurements. */
export function mediansOf(run: readonly Measurement[]): Measurement[] {
  return [...new Set(run.map(({ name }) => name))].map((name) => {
    const all = run.filter((each) => each.name === name);
    const row: Record<string, number> = {};
    for (const field of fields) {
      const values = all.flatMap((each) => each[field] ?? []);
      if (values.length > 0) row[field] = median(values);
    }
    return { name, ...(row as unknown as Omit<Measurement, 'name'>) };
  });
}
