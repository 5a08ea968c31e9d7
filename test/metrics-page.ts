/** What the page on metrics says: read from the page itself, so that it cannot differ from what is tested. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';

/** A metric as documented. */
export interface DocumentedMetric {
  readonly name: string;
  readonly type: string;
  /** In the order of the page. */
  readonly labels: readonly string[];
}

const page = readFileSync(join(import.meta.dirname, '../docs/operating/metrics.md'), 'utf8');

const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

/** Cells of all table rows of the page. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));

/** Every metric with a row of its own. */
export const documentedMetrics: readonly DocumentedMetric[] = rows.flatMap(([name = '', type = '', labels = '']) =>
  ['counter', 'gauge', 'histogram'].includes(type)
    ? [{ name: namesIn(name)[0] ?? '', type, labels: namesIn(labels) }]
    : [],
);

const values = new Map<string, ReadonlySet<string>>();
for (const [series = '', label = '', all = ''] of rows) {
  if (!label.startsWith('`')) continue;
  for (const name of namesIn(series)) values.set(`${name} ${namesIn(label)[0] ?? ''}`, new Set(namesIn(all)));
}

/** The values that a label of a metric may have; empty where they come from outside. */
export function documentedValues(name: string, label: string): ReadonlySet<string> {
  return values.get(`${name} ${label}`) ?? new Set();
}

const registry = new Registry();
collectDefaultMetrics({ register: registry });

/** Names of the metrics of the Node process, most of which the page leaves to prom-client. */
export const ofProcess: ReadonlySet<string> = new Set(registry.getMetricsAsArray().map(({ name }) => name));
registry.clear();
