import { createHistogram } from 'node:perf_hooks';
import type { Gauge, Registry } from 'prom-client';

/** Interval of measurements in milliseconds. */
const lookMillis = 250;

/** Interval for prom-client's own measurement, whose series are replaced; so long that it costs nothing. */
export const unusedPrecisionMillis = 3_600_000;

const nanosPerMilli = 1e6;
const nanosPerSecond = 1e9;

const readings = {
  min: 'The minimum recorded event loop delay.',
  max: 'The maximum recorded event loop delay.',
  mean: 'The mean of the recorded event loop delays.',
  stddev: 'The standard deviation of the recorded event loop delays.',
  p50: 'The 50th percentile of the recorded event loop delays.',
  p90: 'The 90th percentile of the recorded event loop delays.',
  p99: 'The 99th percentile of the recorded event loop delays.',
} as const;

/**
 * Measures how late timers fire. `looked` receives the lateness of every measurement. The timer keeps no process alive.
 *
 * prom-client's own measurement uses `perf_hooks.monitorEventLoopDelay`, which wakes an idle process a hundred times a
 * second and whose values include the length of its interval.
 */
export class EventLoopLag {
  readonly #seen = createHistogram();

  constructor(looked: (lateMillis: number) => void = () => undefined) {
    let expected = performance.now() + lookMillis;
    setInterval(() => {
      const now = performance.now();
      // A histogram accepts whole numbers from 1 on.
      this.#seen.record(Math.max(1, Math.round((now - expected) * nanosPerMilli)));
      looked(now - expected);
      expected = now + lookMillis;
    }, lookMillis).unref();
  }

  /**
   * Replaces prom-client's series `nodejs_eventloop_lag_*_seconds` in the registry. Each series covers the time since its
   * last read; the series of the percentiles is read last.
   */
  replaceIn(registry: Registry, GaugeOf: typeof Gauge): void {
    for (const reading of Object.keys(readings) as (keyof typeof readings)[]) {
      const name = `nodejs_eventloop_lag_${reading}_seconds`;
      registry.removeSingleMetric(name);
      const gauge = new GaugeOf({
        name,
        help: readings[reading],
        registers: [registry],
        collect: () => {
          gauge.set(this.#value(reading) / nanosPerSecond);
          // Metrics are read in registration order.
          if (reading === 'p99') this.#seen.reset();
        },
      });
    }
  }

  #value(reading: keyof typeof readings): number {
    const seen = this.#seen;
    if (seen.count === 0) return 0;
    if (reading === 'p50' || reading === 'p90' || reading === 'p99') return seen.percentile(Number(reading.slice(1)));
    return seen[reading];
  }
}
