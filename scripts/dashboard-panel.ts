/** Panels of the dashboard as Grafana reads them. */
import { datasource } from './dashboard-variables.ts';

/** One line, or one per set of labels: a query and how its lines are called. */
type Query = readonly [expr: string, legend: string];

/** A graph over time, or a single number. */
export interface Panel {
  readonly title: string;
  /** What one sees when all is well, and what it means when not. */
  readonly description: string;
  readonly unit: 's' | 'ms' | 'ops' | 'short' | 'percentunit' | 'bytes';
  readonly queries: readonly Query[];
  /** Above it the graph turns red. */
  readonly limit?: number;
  /** A single number instead of a graph over time. */
  readonly isNumber?: boolean;
}

/** The panel as Grafana reads it; `at` is its place on the grid. */
export function panelJson(panel: Panel, id: number, at: object): object {
  const { title, description, unit, queries, limit, isNumber = false } = panel;
  const steps = [{ color: 'green', value: null }, ...(limit === undefined ? [] : [{ color: 'red', value: limit }])];
  return {
    id,
    title,
    description,
    type: isNumber ? 'stat' : 'timeseries',
    datasource,
    gridPos: at,
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        thresholds: { mode: 'absolute', steps },
        ...(isNumber
          ? {}
          : {
              custom: {
                lineWidth: 1,
                showPoints: 'never',
                thresholdsStyle: { mode: limit === undefined ? 'off' : 'line' },
              },
            }),
      },
      overrides: [],
    },
    options: isNumber
      ? { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'area' }
      : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(([expr, legendFormat], index) => ({
      refId: String.fromCodePoint(65 + index),
      datasource,
      expr,
      legendFormat,
    })),
  };
}
