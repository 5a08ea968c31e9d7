import { expect, it } from 'vitest';
import { documentedMetrics, documentedValues, ofProcess } from '../metrics-page.ts';
import type { SeenSeries } from './seen-series.ts';

/** Holds what was seen by then to what the page documents. `kids` are the ids of the callback keys in use. */
export function expectDocumentedSeries(seen: SeenSeries, kids: readonly string[]): void {
  it('has a sample of every documented series, of the documented type and labels', () => {
    const missing = documentedMetrics.filter(({ name }) => !seen.has(name)).map(({ name }) => name);
    expect(missing).toEqual([]);
    for (const { name, type, labels } of documentedMetrics) {
      const family = seen.family(name);
      expect([name, family?.type]).toEqual([name, type]);
      expect([name, family?.help ?? '']).toEqual([name, expect.stringMatching(/\S/)]);
      // What is of the process is described by prom-client.
      if (ofProcess.has(name)) continue;
      for (const sample of family?.samples ?? []) {
        expect([sample.name, Object.keys(sample.labels).filter((label) => label !== 'le')]).toEqual([
          sample.name,
          labels,
        ]);
      }
    }
  });

  it('has nothing that is not documented', () => {
    const documented = new Set(documentedMetrics.map(({ name }) => name));
    const others = seen.names.filter((name) => !documented.has(name) && !ofProcess.has(name));
    expect(others).toEqual([]);
  });

  it('has only documented values of labels, and every one of those that say how things end', () => {
    const undocumented = seen.samples.flatMap(({ family, labels }) =>
      Object.entries(labels).flatMap(([label, value]) => {
        const values = documentedValues(family, label);
        return values.size === 0 || values.has(value) ? [] : [`${family}{${label}="${value}"}`];
      }),
    );
    expect(undocumented).toEqual([]);
    const whole: readonly (readonly [name: string, label: string, but?: readonly string[]])[] = [
      ['saga_processed_total', 'outcome'],
      ['saga_duration_seconds', 'final_status'],
      ['saga_failed_total', 'reason'],
      ['saga_retried_total', 'phase'],
      ['saga_attempts_failed_total', 'phase'],
      ['saga_attempts_failed_total', 'outcome'],
      ['saga_node_duration_seconds', 'node_kind'],
      ['saga_node_duration_seconds', 'mode'],
      ['saga_switch_evaluated_total', 'result'],
      ['saga_executions', 'status'],
      ['saga_fenced_total', 'reason'],
      ['saga_redis_rebuilds_total', 'reason'],
      ['saga_database_connections', 'state'],
      ['saga_http_call_seconds', 'outcome'],
      ['saga_callback_rejected_total', 'reason'],
      // Needs an issuer of tokens that cannot be reached.
      ['saga_auth_rejected_total', 'reason', ['unavailable']],
    ];
    for (const [name, label, but = []] of whole) {
      const expected = [...documentedValues(name, label)].filter((value) => !but.includes(value));
      const found = [...seen.values(name, label)].filter((value) => !but.includes(value));
      expect([name, label, found.toSorted()]).toEqual([name, label, expected.toSorted()]);
    }
    expect([...seen.values('saga_callback_waiting', 'kid')].toSorted()).toEqual(kids);
  });

  it('has histograms whose buckets rise from what is fast to what is slow', () => {
    for (const { name, type } of documentedMetrics) {
      if (type !== 'histogram') continue;
      const series = seen.samples.filter(({ family, name: sample }) => family === name && sample.endsWith('_bucket'));
      const bounds = [...new Set(series.map(({ labels }) => Number((labels['le'] ?? '').replace('+Inf', 'Infinity'))))];
      expect([name, bounds]).toEqual([name, bounds.toSorted((x, y) => x - y)]);
      expect([name, bounds.at(-1)]).toEqual([name, Infinity]);
      expect([name, bounds.length >= 10]).toEqual([name, true]);
      if (name.endsWith('_seconds')) expect([name, bounds[0], bounds.at(-2)]).toEqual([name, 0.001, 86_400]);
    }
  });
}
