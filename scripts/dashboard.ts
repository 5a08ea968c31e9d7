/**
 * Writes the Grafana dashboard, deploy/grafana/trama.json, and the copies that the Helm chart carries (a chart cannot read
 * files outside of itself): `node scripts/dashboard.ts`. A test fails while they are not current.
 */
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Panel, panelJson } from './dashboard-panel.ts';
import { variables } from './dashboard-variables.ts';

/** Where the dashboard is, relative to the checkout. */
export const dashboardPath = 'deploy/grafana/trama.json';

/** Files of the chart that are copies, and of what. */
export const chartCopies: readonly (readonly [copy: string, of: string])[] = [
  ['deploy/helm/trama/files/trama.json', dashboardPath],
  ['deploy/helm/trama/files/rules.yaml', 'deploy/prometheus/rules.yaml'],
];

/** Only the definitions that were chosen above. */
const chosen = 'saga_name=~"$definition"';

const p95 = (histogram: string, by: string, filter = ''): string =>
  `histogram_quantile(0.95, sum by (${by === '' ? '' : `${by}, `}le) (rate(${histogram}_bucket${filter}[$__rate_interval])))`;

const perSecond = (counter: string, by: string, filter = ''): string =>
  `sum by (${by}) (rate(${counter}${filter}[$__rate_interval]))`;

const rows: readonly (readonly [title: string, panels: readonly Panel[]])[] = [
  [
    'Now',
    [
      {
        title: 'Corrupted',
        description: 'Executions that a person has to settle. Runbook: stuck-or-corrupted.',
        unit: 'short',
        queries: [['sum(saga_executions{status="CORRUPTED"})', 'CORRUPTED']],
        limit: 1,
        isNumber: true,
      },
      {
        title: 'Stuck',
        description: 'Executions that are due or run without a checkpoint for too long. Runbook: stuck-or-corrupted.',
        unit: 'short',
        queries: [['sum(saga_stuck_executions)', 'stuck']],
        limit: 1,
        isNumber: true,
      },
      {
        title: 'Oldest due',
        description: 'How long the execution that has waited longest for a worker has been due.',
        unit: 's',
        queries: [['max(saga_queue_oldest_due_age_seconds)', 'age']],
        limit: 60,
        isNumber: true,
      },
      {
        title: 'Active pods',
        description: 'Workers, according to the latest view of the members.',
        unit: 'short',
        queries: [['max(saga_redis_active_pods)', 'pods']],
        isNumber: true,
      },
      {
        title: 'Open circuits',
        description: 'Hosts whose calls wait because they failed too often. Runbook: failing-downstream.',
        unit: 'short',
        queries: [['count(max by (host) (saga_circuit_open) > 0) or vector(0)', 'hosts']],
        limit: 1,
        isNumber: true,
      },
      {
        title: 'Holds',
        description: 'Hosts and definitions whose calls an operator suspends.',
        unit: 'short',
        queries: [['max(saga_holds)', 'holds']],
        limit: 1,
        isNumber: true,
      },
    ],
  ],
  [
    'Executions',
    [
      {
        title: 'Duration p95, by definition',
        description: 'From the start of the round to its end, including waits. Runbook: latency.',
        unit: 's',
        queries: [
          [p95('saga_duration_seconds', 'saga_name, saga_version', `{${chosen}}`), '{{saga_name}} {{saga_version}}'],
        ],
      },
      {
        title: 'Failure ratio, by definition',
        description: 'Share that ended FAILED or CORRUPTED. Runbook: failure-ratio.',
        unit: 'percentunit',
        queries: [
          [
            `${perSecond('saga_processed_total', 'saga_name, saga_version', `{${chosen},outcome=~"FAILED|CORRUPTED"}`)} / ` +
              perSecond('saga_processed_total', 'saga_name, saga_version', `{${chosen}}`),
            '{{saga_name}} {{saga_version}}',
          ],
        ],
        limit: 0.2,
      },
      {
        title: 'Why they fail',
        description: 'Executions that ended other than SUCCEEDED, by reason.',
        unit: 'ops',
        queries: [[perSecond('saga_failed_total', 'reason', `{${chosen}}`), '{{reason}}']],
      },
      {
        title: 'Ended',
        description: 'Executions that ended, by status.',
        unit: 'ops',
        queries: [[perSecond('saga_processed_total', 'outcome', `{${chosen}}`), '{{outcome}}']],
      },
      {
        title: 'Not over',
        description: 'Executions that are not over, by status, and CORRUPTED ones.',
        unit: 'short',
        queries: [['sum by (status) (saga_executions)', '{{status}}']],
      },
      {
        title: 'Retries and failed attempts',
        description: 'Retries of calls, and attempts that did not succeed, by outcome.',
        unit: 'ops',
        queries: [
          [perSecond('saga_retried_total', 'phase', `{${chosen}}`), 'retries {{phase}}'],
          [perSecond('saga_attempts_failed_total', 'outcome', `{${chosen}}`), 'attempts {{outcome}}'],
        ],
      },
    ],
  ],
  [
    'Queue and workers',
    [
      {
        title: 'Enqueue against dequeue',
        description:
          'The two lines lie on each other. Dequeue below enqueue for long: workers do not keep up. Runbook: queue-pressure.',
        unit: 'ops',
        queries: [
          ['sum(rate(saga_enqueue_total[$__rate_interval]))', 'enqueued'],
          ['sum(rate(saga_dequeue_total[$__rate_interval]))', 'dequeued'],
          ['sum(rate(saga_reconciled_total[$__rate_interval]))', 'put back by the reconcile'],
        ],
      },
      {
        title: 'Queue age and dispatch delay',
        description:
          'How long the execution that has waited longest has been due, and p95 of the time from due to the first call.',
        unit: 's',
        queries: [
          ['max(saga_queue_oldest_due_age_seconds)', 'oldest due'],
          [p95('saga_dispatch_delay_seconds', ''), 'dispatch p95'],
        ],
        limit: 60,
      },
      {
        title: 'Busy workers and places',
        description:
          'Executions that run now, by pod, and what all their places are used for. No free ones for long: add pods.',
        unit: 'short',
        queries: [
          ['saga_workers_busy', '{{instance}}'],
          ['sum by (cause) (saga_places)', 'places: {{cause}}'],
        ],
      },
      {
        title: 'Stuck and corrupted',
        description: 'Both should be zero.',
        unit: 'short',
        queries: [
          ['sum(saga_stuck_executions)', 'stuck'],
          ['sum(saga_executions{status="CORRUPTED"})', 'corrupted'],
        ],
        limit: 1,
      },
      {
        title: 'Queue in this process',
        description: 'Ids ready or in flight in the shards that each pod works on.',
        unit: 'short',
        queries: [['saga_inmemory_queue_size', '{{instance}}']],
      },
      {
        title: 'Node durations p95',
        description: 'Time of visits of nodes, by kind.',
        unit: 's',
        queries: [[p95('saga_node_duration_seconds', 'node_kind, mode', `{${chosen}}`), '{{node_kind}} {{mode}}']],
      },
    ],
  ],
  [
    'Cluster',
    [
      {
        title: 'Shard ownership',
        description:
          'Shards of each pod, and all of them. The sum equals the total, but for moments of change. Runbook: membership.',
        unit: 'short',
        queries: [
          ['saga_redis_owned_shards', '{{instance}}'],
          ['sum(saga_redis_owned_shards)', 'owned in all'],
          ['max(saga_redis_shards)', 'total'],
        ],
      },
      {
        title: 'Active pods, as each sees them',
        description: 'All lines should coincide.',
        unit: 'short',
        queries: [['saga_redis_active_pods', '{{instance}}']],
      },
      {
        title: 'Membership age',
        description:
          'Time since each pod read the members; a sawtooth below the refresh interval. Runbook: membership.',
        unit: 'ms',
        queries: [['saga_redis_membership_refresh_age_ms', '{{instance}}']],
        limit: 10_000,
      },
      {
        title: 'Fencing',
        description: 'Executions that a worker lost to another one. A few when a pod dies, none otherwise.',
        unit: 'ops',
        queries: [[perSecond('saga_fenced_total', 'reason'), '{{reason}}']],
      },
      {
        title: 'Redis: claims and rebuilds',
        description:
          'Looks into shards; rebuilds with the reason lost happen only where Redis lost data. Runbook: redis-data-loss.',
        unit: 'ops',
        queries: [
          ['sum(rate(saga_redis_claim_scans_total[$__rate_interval]))', 'claim scans'],
          [perSecond('saga_redis_rebuilds_total', 'reason'), 'rebuilds {{reason}}'],
        ],
      },
      {
        title: 'Redis errors',
        description: 'Operations that failed; normally none. Runbook: redis-outage.',
        unit: 'ops',
        queries: [
          [perSecond('saga_redis_errors_total', 'operation'), '{{operation}}'],
          ['max(saga_redis_unsafe_policy)', 'may evict keys'],
        ],
      },
    ],
  ],
  [
    'Store',
    [
      {
        title: 'Commit latency',
        description: 'Time of a batch of writes until it is durable.',
        unit: 's',
        queries: [
          [p95('saga_commit_seconds', ''), 'p95'],
          ['histogram_quantile(0.5, sum by (le) (rate(saga_commit_seconds_bucket[$__rate_interval])))', 'p50'],
        ],
        limit: 1,
      },
      {
        title: 'Commit batch size',
        description: 'Rows per batch. It grows with load, which keeps commits few.',
        unit: 'short',
        queries: [
          [p95('saga_commit_batch_size', ''), 'p95'],
          [
            'sum(rate(saga_commit_batch_size_sum[$__rate_interval])) / sum(rate(saga_commit_batch_size_count[$__rate_interval]))',
            'mean',
          ],
        ],
      },
      {
        title: 'Store errors',
        description: 'Operations that failed, by operation and class; normally none. Runbook: postgres-outage.',
        unit: 'ops',
        queries: [[perSecond('saga_store_errors_total', 'operation, class'), '{{operation}} {{class}}']],
      },
      {
        title: 'Connections to Postgres',
        description:
          'Of each pod: those in use, statements that wait for one, and 0 while it cannot reach Postgres. All in use and some waiting for long: raise database.pool.maxPoolSize.',
        unit: 'short',
        queries: [
          ['saga_database_connections{state="busy"}', '{{instance}} in use'],
          ['saga_database_waiting', '{{instance}} waiting'],
          ['saga_database_up', '{{instance}} up'],
        ],
      },
    ],
  ],
  [
    'Downstreams',
    [
      {
        title: 'Call latency p95, by host',
        description: 'Outbound calls. Runbook: latency.',
        unit: 's',
        queries: [[p95('saga_http_call_seconds', 'host'), '{{host}}']],
      },
      {
        title: 'Calls without an answer, by host',
        description: 'Timeouts, broken connections, bodies that broke off. Runbook: failing-downstream.',
        unit: 'ops',
        queries: [
          [perSecond('saga_http_call_seconds_count', 'host, outcome', '{outcome!="response"}'), '{{host}} {{outcome}}'],
        ],
      },
      {
        title: 'Circuit breaker and holds',
        description: '1 while calls to the host wait; how many executions wait, and for what.',
        unit: 'short',
        queries: [
          ['max by (host) (saga_circuit_open)', '{{host}}'],
          ['max(saga_holds)', 'holds'],
          ['sum by (cause) (saga_blocked_calls)', 'blocked: {{cause}}'],
        ],
      },
      {
        title: 'Callbacks',
        description: 'Received, timed out, and refused by reason. Runbook: callback-key-rotation.',
        unit: 'ops',
        queries: [
          [`sum(rate(saga_callback_received_total{${chosen}}[$__rate_interval]))`, 'received'],
          [`sum(rate(saga_callback_timeout_total{${chosen}}[$__rate_interval]))`, 'timed out'],
          [perSecond('saga_callback_rejected_total', 'reason', `{${chosen}}`), 'refused {{reason}}'],
        ],
      },
      {
        title: 'Waiting for callbacks, by key',
        description: 'A key may be removed once no callback is awaited under it.',
        unit: 'short',
        queries: [['sum by (kid) (saga_callback_waiting)', '{{kid}}']],
      },
      {
        title: 'Hooks',
        description: 'Hooks by result, and how many are still to be delivered after the end. Runbook: hooks.',
        unit: 'short',
        queries: [
          ['sum by (result) (increase(saga_hook_ended_total[$__rate_interval]))', '{{result}}'],
          ['sum(saga_hooks_pending)', 'pending'],
        ],
      },
      {
        title: 'Children',
        description: 'Runs that other runs started: those that ended, by status, and those that are not over.',
        unit: 'short',
        queries: [
          ['sum by (status) (increase(saga_children_total[$__rate_interval]))', '{{status}}'],
          ['sum(saga_children_waiting)', 'not over'],
        ],
      },
      {
        title: 'Steps p95',
        description: 'Time of visits that succeeded, by step.',
        unit: 's',
        queries: [
          [
            p95('saga_step_duration_success_seconds', 'saga_name, step_name', `{${chosen}}`),
            '{{saga_name}} {{step_name}}',
          ],
        ],
      },
    ],
  ],
  [
    'Processes',
    [
      {
        title: 'Event loop lag p99',
        description: 'How late timers fire. Above half a second leases are at risk.',
        unit: 's',
        queries: [['nodejs_eventloop_lag_p99_seconds{job="trama"}', '{{instance}}']],
        limit: 0.5,
      },
      {
        title: 'CPU',
        description: 'Processor cores in use.',
        unit: 'short',
        queries: [['rate(process_cpu_seconds_total{job="trama"}[$__rate_interval])', '{{instance}}']],
      },
      {
        title: 'Memory',
        description: 'Resident memory.',
        unit: 'bytes',
        queries: [['process_resident_memory_bytes{job="trama"}', '{{instance}}']],
      },
      {
        title: 'Memory of executions in hand',
        description: 'Memory of running executions as a share of its bound. At 100 % a pod claims nothing new.',
        unit: 'percentunit',
        queries: [['saga_in_hand_bytes / saga_in_hand_max_bytes', '{{instance}}']],
      },
      {
        title: 'API latency p95',
        description: 'Requests to the API, by route.',
        unit: 's',
        queries: [[p95('http_server_request_duration_seconds', 'method, route'), '{{method}} {{route}}']],
      },
      {
        title: 'API answers',
        description: 'Requests to the API, by status.',
        unit: 'ops',
        queries: [[perSecond('http_server_request_duration_seconds_count', 'status'), '{{status}}']],
      },
      {
        title: 'Requests refused',
        description: 'Refused requests, by reason: a caller with an old key, or an attacker who guesses.',
        unit: 'ops',
        queries: [[perSecond('saga_auth_rejected_total', 'reason'), '{{reason}}']],
      },
      {
        title: 'Trace exporter',
        description: 'Spans by result. All results except exported are losses.',
        unit: 'ops',
        queries: [[perSecond('saga_trace_spans_total', 'result'), '{{result}}']],
      },
    ],
  ],
];

const width = 24;

function panelsJson(): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const [title, ofRow] of rows) {
    const gridPos = { h: 1, w: width, x: 0, y };
    panels.push({ id: panels.length + 1, title, type: 'row', collapsed: false, gridPos, panels: [] });
    y += 1;
    const isNumbers = ofRow.every((panel) => panel.isNumber === true);
    const [w, h] = isNumbers ? [4, 4] : [8, 8];
    ofRow.forEach((panel, index) => {
      const at = { h, w, x: (index * w) % width, y: y + Math.floor((index * w) / width) * h };
      panels.push(panelJson(panel, panels.length + 1, at));
    });
    y += Math.ceil((ofRow.length * w) / width) * h;
  }
  return panels;
}

/** The text of the dashboard. */
export function dashboard(): string {
  const document = {
    uid: 'trama',
    title: 'Trama',
    description: 'Generated by scripts/dashboard.ts; change it there.',
    tags: ['trama'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: { list: variables },
    annotations: { list: [] },
    links: [],
    panels: panelsJson(),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

if (import.meta.main) {
  const inRoot = (path: string): string => join(import.meta.dirname, '..', path);
  writeFileSync(inRoot(dashboardPath), dashboard());
  for (const [copy, of] of chartCopies) copyFileSync(inRoot(of), inRoot(copy));
}
