/** Dashboard and alerts ask only for what the runtime tells, and the page of metrics names all of it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { chartCopies, dashboard, dashboardPath } from '../../scripts/dashboard.ts';
import { createSeries } from '../../src/telemetry/series.ts';
import { documentedQueries } from './documented-queries.ts';
import { groupingsOf, readingsOf } from './metric-queries.ts';
import { root } from './source-files.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/**
 * Series that are specified and not built yet, and their labels. The change that adds one removes it from this list: a test fails while
 * it is in both.
 */
const awaited: Readonly<Record<string, readonly string[]>> = {};

/** Labels of each series of this build. */
const own = new Map<string, readonly string[]>();
for (const family of Object.values(createSeries())) {
  if ('labelNames' in family) own.set(family.name, family.labelNames);
}
const ofNode = new Map<string, readonly string[]>();
const registry = new Registry();
collectDefaultMetrics({ register: registry });
for (const metric of registry.getMetricsAsArray()) ofNode.set(metric.name, []);
registry.clear();

const known = new Map<string, readonly string[]>([
  ...own,
  ...ofNode,
  ...Object.entries(awaited),
  // What Prometheus itself makes.
  ['up', []],
]);

/** Labels that Prometheus adds to what it scrapes. */
const scraped = ['job', 'instance', 'pod', 'namespace', 'component'];

/** A histogram is read by three series. */
const familyOf = (name: string): string => {
  const base = name.replace(/_(?:bucket|sum|count)$/, '');
  return known.has(name) ? name : base;
};

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const groups = (parse(read('deploy/prometheus/rules.yaml')) as { groups: { name: string; rules: Rule[] }[] }).groups;
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule) => rule.alert !== undefined);
const recorded = new Set(rules.flatMap((rule) => rule.record ?? []));

interface PanelJson {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

const panels = (JSON.parse(dashboard()) as { panels: PanelJson[] }).panels;
const documented = documentedQueries.map(({ place, query }) => [place, query] as const);
const asked: readonly (readonly [where: string, expr: string])[] = [
  ...rules.map((rule) => [rule.alert ?? rule.record ?? '', rule.expr] as const),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
];

describe('what is asked for', () => {
  it('is told by the runtime, or will be', () => {
    const unknown = [...asked, ...documented].flatMap(([where, expr]) =>
      readingsOf(expr)
        .filter(({ name }) => !known.has(familyOf(name)) && !recorded.has(name))
        .map(({ name }) => `${where}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it('has the labels that it is filtered and grouped by', () => {
    const wrong = [...asked, ...documented].flatMap(([where, expr]) => {
      const readings = readingsOf(expr).filter(({ name }) => !recorded.has(name));
      const labelsOf = (name: string): readonly string[] => [
        ...(known.get(familyOf(name)) ?? []),
        ...scraped,
        ...(name.endsWith('_bucket') ? ['le'] : []),
      ];
      const filtered = readings.flatMap(({ name, labels }) =>
        labels.filter((label) => !labelsOf(name).includes(label)).map((label) => `${where}: ${name}{${label}}`),
      );
      const all = new Set(readings.flatMap(({ name }) => labelsOf(name)));
      return [
        ...filtered,
        ...(readings.length === 0
          ? []
          : groupingsOf(expr)
              .filter((label) => !all.has(label))
              .map((label) => `${where}: by (${label})`)),
      ];
    });
    expect(wrong).toEqual([]);
  });

  it('no longer waits for what is there', () => {
    expect(Object.keys(awaited).filter((name) => own.has(name))).toEqual([]);
  });

  it('covers every series of Trama', () => {
    const watched = new Set(asked.flatMap(([, expr]) => readingsOf(expr).map(({ name }) => familyOf(name))));
    // Counted with the others, and of no use on its own.
    const elsewhere = new Set(['saga_switch_evaluated_total', 'saga_items_total', 'saga_undone_total']);
    expect(
      [...own.keys(), ...Object.keys(awaited)].filter((name) => !watched.has(name) && !elsewhere.has(name)),
    ).toEqual([]);
  });
});

describe('the page of metrics', () => {
  it('names every series of Trama and its labels, those to come included', () => {
    const page = read('docs/operating/metrics.md');
    const missing = [...own, ...Object.entries(awaited)].flatMap(([name, labels]) => {
      const line = page.split('\n').find((each) => each.startsWith(`| \`${name}\` |`));
      if (line === undefined) return [name];
      return labels.filter((label) => !line.includes(`\`${label}\``)).map((label) => `${name}{${label}}`);
    });
    expect(missing).toEqual([]);
  });

  it('names no other', () => {
    const named = [...read('docs/operating/metrics.md').matchAll(/^\| `((?:saga_|http_|nodejs_|process_)\w+)` \|/gm)];
    expect(named.length).toBeGreaterThan(own.size);
    expect(named.map(([, name = '']) => name).filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('alerts', () => {
  it('say how bad it is, what it is, and where help is', () => {
    expect(alerts.length).toBeGreaterThan(25);
    for (const { alert, labels, annotations } of alerts) {
      expect([alert, ['critical', 'warning', 'info'].includes(labels?.['severity'] ?? '')]).toEqual([alert, true]);
      expect(annotations?.['summary'] ?? '').toMatch(/\.$/);
      const runbook = annotations?.['runbook_url'] ?? '';
      expect([alert, runbook, existsSync(join(root, runbook))]).toEqual([alert, runbook, true]);
    }
  });

  it('are named in their runbooks', () => {
    const silent = alerts.filter(
      ({ alert = '', annotations }) => !read(annotations?.['runbook_url'] ?? '').includes(`\`${alert}\``),
    );
    expect(silent.map(({ alert }) => alert)).toEqual([]);
  });

  it('are tested firing and not firing', () => {
    const casesIn = (path: string): readonly { alertname: string; exp_alerts: unknown[] }[] => {
      const { tests } = parse(read(path)) as {
        tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
      };
      return tests.flatMap((test) => test.alert_rule_test);
    };
    const cases = ['rules.test.yaml', 'rules.long.test.yaml'].flatMap((name) => casesIn(`deploy/prometheus/${name}`));
    const untested = alerts.filter(({ alert }) => {
      const ofAlert = cases.filter(({ alertname }) => alertname === alert);
      return (
        !ofAlert.some(({ exp_alerts }) => exp_alerts.length > 0) ||
        !ofAlert.some(({ exp_alerts }) => exp_alerts.length === 0)
      );
    });
    expect(untested.map(({ alert }) => alert)).toEqual([]);
  });
});

describe('the dashboard', () => {
  it('and the copies within the chart are current (renew them with node scripts/dashboard.ts)', () => {
    expect(read(dashboardPath)).toBe(dashboard());
    for (const [copy, of] of chartCopies) expect([copy, read(copy)]).toEqual([copy, read(of)]);
  });

  it('names what its lines are called by labels that they have', () => {
    for (const { title, targets = [] } of panels) {
      for (const { expr, legendFormat } of targets) {
        const names = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
        const by = groupingsOf(expr);
        expect([title, names.filter((label) => !by.includes(label) && label !== 'instance')]).toEqual([title, []]);
      }
    }
  });

  it('lays no panel over another', () => {
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${String(x + (i % w))},${String(y + Math.floor(i / w))}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });
});

describe('readings', () => {
  it('are found in queries', () => {
    expect(
      readingsOf('sum by (host, le) (rate(a_bucket{x="b c",y!~"d"}[5m])) > 2 * b:c:p95 offset 1d and on () (up == 1)'),
    ).toEqual([
      { name: 'a_bucket', labels: ['x', 'y'] },
      { name: 'b:c:p95', labels: [] },
      { name: 'up', labels: [] },
    ]);
    expect(groupingsOf('sum by (host, le) (a)')).toEqual(['host', 'le']);
  });
});
