import { sizeBuckets, type CounterCell, type GaugeCell, type HistogramCell } from './cells.ts';
import { Families, type Family } from './families.ts';

/** Labels of series that belong to one definition. */
const definitionLabels: readonly [string, string] = ['saga_name', 'saga_version'];

/** Every series that Trama defines. Dashboards and alerts depend on names and labels. */
export interface Series {
  readonly families: Families;
  readonly enqueued: Family<CounterCell>;
  readonly dequeued: Family<CounterCell>;
  readonly retried: Family<CounterCell>;
  readonly processed: Family<CounterCell>;
  readonly attemptsFailed: Family<CounterCell>;
  readonly failed: Family<CounterCell>;
  readonly hooks: Family<CounterCell>;
  readonly callbacksReceived: Family<CounterCell>;
  readonly callbacksRejected: Family<CounterCell>;
  readonly authRejected: Family<CounterCell>;
  readonly callbackTimeouts: Family<CounterCell>;
  readonly items: Family<CounterCell>;
  readonly undone: Family<CounterCell>;
  readonly switches: Family<CounterCell>;
  readonly storeErrors: Family<CounterCell>;
  readonly queueErrors: Family<CounterCell>;
  readonly fenced: Family<CounterCell>;
  readonly reconciled: Family<CounterCell>;
  readonly claimScans: Family<CounterCell>;
  readonly rebuilds: Family<CounterCell>;
  readonly traceSpans: Family<CounterCell>;
  readonly longTurns: Family<CounterCell>;
  readonly duration: Family<HistogramCell>;
  readonly stepDuration: Family<HistogramCell>;
  readonly nodeDuration: Family<HistogramCell>;
  readonly dispatchDelay: Family<HistogramCell>;
  readonly commit: Family<HistogramCell>;
  readonly commitSize: Family<HistogramCell>;
  readonly httpCalls: Family<HistogramCell>;
  readonly httpServer: Family<HistogramCell>;
  readonly queueSize: Family<GaugeCell>;
  readonly workersBusy: Family<GaugeCell>;
  readonly places: Family<GaugeCell>;
  readonly inHandBytes: Family<GaugeCell>;
  readonly maxInHandBytes: Family<GaugeCell>;
  readonly oldestDueAge: Family<GaugeCell>;
  readonly executions: Family<GaugeCell>;
  readonly stuck: Family<GaugeCell>;
  readonly hooksPending: Family<GaugeCell>;
  readonly childrenEnded: Family<CounterCell>;
  readonly childrenWaiting: Family<GaugeCell>;
  readonly callbackWaiting: Family<GaugeCell>;
  readonly activePods: Family<GaugeCell>;
  readonly ownedShards: Family<GaugeCell>;
  readonly shards: Family<GaugeCell>;
  readonly membershipAge: Family<GaugeCell>;
  readonly unsafePolicy: Family<GaugeCell>;
  readonly circuitOpen: Family<GaugeCell>;
  readonly holds: Family<GaugeCell>;
  readonly blocked: Family<GaugeCell>;
  readonly databaseUp: Family<GaugeCell>;
  readonly databaseConnections: Family<GaugeCell>;
  readonly databaseWaiting: Family<GaugeCell>;
  readonly staleTls: Family<GaugeCell>;
}

/** Creates all families, empty. */
export function createSeries(): Series {
  const f = new Families();
  return {
    families: f,
    enqueued: f.counter('saga_enqueue_total', 'Executions put into the queue.', ...definitionLabels, 'phase'),
    dequeued: f.counter('saga_dequeue_total', 'Executions handed to a worker.', ...definitionLabels, 'phase'),
    retried: f.counter('saga_retried_total', 'Retries of calls.', ...definitionLabels, 'phase'),
    processed: f.counter(
      'saga_processed_total',
      'Executions that ended, by status; phase DOWN if they ended after compensating.',
      ...definitionLabels,
      'phase',
      'outcome',
    ),
    attemptsFailed: f.counter(
      'saga_attempts_failed_total',
      'Attempts of calls that did not succeed, by outcome.',
      ...definitionLabels,
      'phase',
      'outcome',
    ),
    failed: f.counter(
      'saga_failed_total',
      'Executions that ended other than SUCCEEDED, by reason.',
      ...definitionLabels,
      'phase',
      'reason',
    ),
    hooks: f.counter(
      'saga_hook_ended_total',
      'Hooks by result: delivered, late (after the end), failed, dropped (the execution continued).',
      ...definitionLabels,
      'result',
    ),
    callbacksReceived: f.counter('saga_callback_received_total', 'Callbacks accepted.', ...definitionLabels),
    callbacksRejected: f.counter(
      'saga_callback_rejected_total',
      'Callbacks rejected, by reason; without a definition if the execution is not known.',
      ...definitionLabels,
      'reason',
    ),
    authRejected: f.counter(
      'saga_auth_rejected_total',
      'Requests refused for their credentials or origin, by reason.',
      'reason',
    ),
    callbackTimeouts: f.counter(
      'saga_callback_timeout_total',
      'Callbacks that did not arrive in time.',
      ...definitionLabels,
    ),
    undone: f.counter(
      'saga_undone_total',
      'Undos of finished runs that ended, by status.',
      ...definitionLabels,
      'status',
    ),
    items: f.counter('saga_items_total', 'Items of forEach that ended, by status.', ...definitionLabels, 'status'),
    switches: f.counter('saga_switch_evaluated_total', 'Switches decided, by result.', ...definitionLabels, 'result'),
    storeErrors: f.counter('saga_store_errors_total', 'Operations of the store that failed.', 'operation', 'class'),
    queueErrors: f.counter('saga_redis_errors_total', 'Operations on Redis that failed.', 'operation'),
    fenced: f.counter('saga_fenced_total', 'Executions lost to another worker.', 'reason'),
    reconciled: f.counter(
      'saga_reconciled_total',
      'Due executions that the queue lacked, put back from the store, by their status.',
      'status',
    ),
    claimScans: f.counter('saga_redis_claim_scans_total', 'Reads of shards for due executions.'),
    rebuilds: f.counter('saga_redis_rebuilds_total', 'Shards filled from the store, by reason.', 'reason'),
    longTurns: f.counter(
      'saga_long_turn_total',
      'Pieces of work that blocked the event loop for more than 200 ms, by kind.',
      'kind',
    ),
    traceSpans: f.counter('saga_trace_spans_total', 'Spans by result: exported, failed, dropped.', 'result'),
    duration: f.durations(
      'saga_duration_seconds',
      'Time from the start of the round to its end, including waits.',
      ...definitionLabels,
      'final_status',
    ),
    stepDuration: f.durations(
      'saga_step_duration_success_seconds',
      'Time of visits that succeeded.',
      ...definitionLabels,
      'step_name',
    ),
    nodeDuration: f.durations(
      'saga_node_duration_seconds',
      'Time of visits of nodes.',
      ...definitionLabels,
      'node_kind',
      'mode',
    ),
    dispatchDelay: f.durations(
      'saga_dispatch_delay_seconds',
      'Time from when an execution is due until its first call is written.',
    ),
    commit: f.durations('saga_commit_seconds', 'Time of a batch of writes until it was durable.'),
    commitSize: f.histogram('saga_commit_batch_size', 'Rows of a batch of writes.', sizeBuckets),
    httpCalls: f.durations('saga_http_call_seconds', 'Time of outbound calls.', 'host', 'outcome'),
    httpServer: f.durations(
      'http_server_request_duration_seconds',
      'Time of requests to the API, by route template.',
      'method',
      'route',
      'status',
    ),
    queueSize: f.gauge('saga_inmemory_queue_size', 'Executions in the queue of this process.'),
    workersBusy: f.gauge('saga_workers_busy', 'Executions that currently run in this process.'),
    places: f.gauge(
      'saga_places',
      'Places of this process (runtime.workerCount) by use: calling, host, loading, store, other, free.',
      'cause',
    ),
    inHandBytes: f.gauge('saga_in_hand_bytes', 'Approximate memory of the executions that this process runs.'),
    maxInHandBytes: f.gauge(
      'saga_in_hand_max_bytes',
      'Memory of running executions above which this process claims nothing new.',
    ),
    oldestDueAge: f.gauge(
      'saga_queue_oldest_due_age_seconds',
      'How long the execution that has waited longest for a worker has been due.',
    ),
    executions: f.gauge('saga_executions', 'Executions that are not over, and CORRUPTED ones.', 'status'),
    stuck: f.gauge('saga_stuck_executions', 'Executions that are due or run without a checkpoint for too long.'),
    hooksPending: f.gauge('saga_hooks_pending', 'Executions that are over and whose hook is still to be delivered.'),
    childrenEnded: f.counter(
      'saga_children_total',
      'Executions that another one started and that ended, by status.',
      'status',
    ),
    childrenWaiting: f.gauge('saga_children_waiting', 'Executions that another one started and that are not over.'),
    callbackWaiting: f.gauge('saga_callback_waiting', 'Executions that wait for a callback, by key.', 'kid'),
    activePods: f.gauge('saga_redis_active_pods', 'Workers, according to the latest view of the members.'),
    ownedShards: f.gauge('saga_redis_owned_shards', 'Virtual shards that this process works on.'),
    shards: f.gauge('saga_redis_shards', 'Number of virtual shards.'),
    membershipAge: f.gauge(
      'saga_redis_membership_refresh_age_ms',
      'Time since the members were read; -1 before the first time.',
    ),
    circuitOpen: f.gauge(
      'saga_circuit_open',
      '1 while the circuit of the host is open in this process, 0 once it has closed again.',
      'host',
    ),
    databaseUp: f.gauge(
      'saga_database_up',
      '1 while the store answers this process, 0 while it does not or takes no writes.',
    ),
    databaseConnections: f.gauge(
      'saga_database_connections',
      'Open connections of this process to Postgres, by whether a statement uses them.',
      'state',
    ),
    staleTls: f.gauge(
      'saga_tls_files_stale',
      '1 while the changed certificate files of a group cannot be used and the earlier ones still are, else 0.',
      'group',
    ),
    databaseWaiting: f.gauge(
      'saga_database_waiting',
      'Statements of this process that wait for a free connection to Postgres.',
    ),
    blocked: f.gauge(
      'saga_blocked_calls',
      'Executions that this process has seen wait BLOCKED, by cause: a hold, an open circuit, or no free place at the host.',
      'cause',
    ),
    holds: f.gauge('saga_holds', 'Holds in force; every process reports the same number.'),
    unsafePolicy: f.gauge('saga_redis_unsafe_policy', '1 while the maxmemory-policy of Redis may evict keys.'),
  };
}
