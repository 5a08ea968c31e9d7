import { queryObjects } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { LabelGroup } from './label-groups.ts';
import { PrometheusTelemetry, type LogSink } from './prometheus-telemetry.ts';
import { createSeries } from './series.ts';

const noLog: LogSink = { writes: () => false, write: () => undefined };

/** The samples of the text format, by series. */
async function samples(telemetry: PrometheusTelemetry): Promise<ReadonlyMap<string, number>> {
  const lines = (await telemetry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

describe('what a definition counts', () => {
  it('shows under its name and version', async () => {
    const telemetry = new PrometheusTelemetry(noLog);
    const definition = telemetry.definition('order "x"\\\n', '1');
    definition.enqueued();
    definition.dequeued('direct');
    definition.attempted('UP', 'unknown');
    definition.attempted('UP', 'succeeded');
    definition.retried('DOWN');
    definition.finished('FAILED', 'timeout', 1500);
    definition.finished('SUCCEEDED', undefined, 90_000_000);
    definition.stepped('pay', 'task', 'sync', 'succeeded', 3);
    definition.stepped('pay', 'task', 'sync', 'rejected', 3);
    definition.switched('default');
    definition.stepped('nap', 'sleep', undefined, 'succeeded', 3);
    definition.callbackTimedOut();
    const of = { name: 'order "x"\\\n', version: '1' };
    telemetry.received(of);
    telemetry.received(of);
    telemetry.rejected('not_waiting', of);
    telemetry.rejected('signature');
    definition.hookEnded('late');
    const found = await samples(telemetry);
    const name = 'saga_name="order \\"x\\"\\\\\\n",saga_version="1"';
    expect(found.get(`saga_enqueue_total{${name},phase="UP"}`)).toBe(1);
    expect(found.get(`saga_dequeue_total{${name},phase="UP"}`)).toBe(1);
    expect(found.get(`saga_attempts_failed_total{${name},phase="UP",outcome="unknown"}`)).toBe(1);
    expect(found.has(`saga_attempts_failed_total{${name},phase="UP",outcome="succeeded"}`)).toBe(false);
    expect(found.get(`saga_processed_total{${name},phase="DOWN",outcome="FAILED"}`)).toBe(1);
    expect(found.get(`saga_processed_total{${name},phase="UP",outcome="SUCCEEDED"}`)).toBe(1);
    expect(found.get(`saga_retried_total{${name},phase="DOWN"}`)).toBe(1);
    expect(found.get(`saga_failed_total{${name},phase="UP",reason="timeout"}`)).toBe(1);
    expect(found.get(`saga_hook_ended_total{${name},result="late"}`)).toBe(1);
    expect(found.get(`saga_duration_seconds_bucket{${name},final_status="FAILED",le="1"}`)).toBe(0);
    expect(found.get(`saga_duration_seconds_bucket{${name},final_status="FAILED",le="2.5"}`)).toBe(1);
    expect(found.get(`saga_duration_seconds_sum{${name},final_status="FAILED"}`)).toBe(1.5);
    expect(found.get(`saga_duration_seconds_bucket{${name},final_status="SUCCEEDED",le="86400"}`)).toBe(0);
    expect(found.get(`saga_duration_seconds_bucket{${name},final_status="SUCCEEDED",le="+Inf"}`)).toBe(1);
    expect(found.get(`saga_step_duration_success_seconds_count{${name},step_name="pay"}`)).toBe(1);
    expect(found.get(`saga_node_duration_seconds_count{${name},node_kind="task",mode="sync"}`)).toBe(2);
    expect(found.get(`saga_node_duration_seconds_count{${name},node_kind="sleep",mode="none"}`)).toBe(1);
    expect(found.get(`saga_switch_evaluated_total{${name},result="default"}`)).toBe(1);
    expect(found.get(`saga_callback_timeout_total{${name}}`)).toBe(1);
    expect(found.get(`saga_callback_received_total{${name}}`)).toBe(2);
    expect(found.get(`saga_callback_rejected_total{${name},reason="not_waiting"}`)).toBe(1);
    // A callback with a forged token belongs to no known execution.
    expect(found.get('saga_callback_rejected_total{saga_name="",saga_version="",reason="signature"}')).toBe(1);
  });

  it('is folded into `other` beyond the limit, the longest idle first, and no sum is lost', async () => {
    const telemetry = new PrometheusTelemetry(noLog, { definitions: 2, steps: 2, hosts: 2 });
    const a = telemetry.definition('a', '1');
    const b = telemetry.definition('b', '1');
    a.enqueued();
    b.enqueued();
    await telemetry.metrics();
    a.enqueued();
    telemetry.definition('c', '1').enqueued();
    // `b` was the least recently used. Its handle now counts into `other`, also for series that it never had.
    b.enqueued();
    b.finished('SUCCEEDED', undefined, 1);
    b.stepped('x', 'task', 'sync', 'rejected', 1);
    b.switched('case');
    telemetry.received({ name: 'c', version: '1' });
    const found = await samples(telemetry);
    const enqueued = (name: string, version: string): number | undefined =>
      found.get(`saga_enqueue_total{saga_name="${name}",saga_version="${version}",phase="UP"}`);
    expect(enqueued('a', '1')).toBe(2);
    expect(enqueued('b', '1')).toBeUndefined();
    expect(enqueued('c', '1')).toBe(1);
    expect(enqueued('other', 'other')).toBe(2);
    const other = 'saga_name="other",saga_version="other"';
    expect(found.get(`saga_node_duration_seconds_count{${other},node_kind="task",mode="sync"}`)).toBe(1);
    expect(found.get(`saga_switch_evaluated_total{${other},result="case"}`)).toBe(1);
    expect(found.get('saga_callback_received_total{saga_name="c",saga_version="1"}')).toBe(1);
    expect([...found.keys()].filter((series) => series.includes('saga_name="b"'))).toEqual([]);
    expect(
      found.get('saga_processed_total{saga_name="other",saga_version="other",phase="UP",outcome="SUCCEEDED"}'),
    ).toBe(1);
  });
});

describe('outbound calls', () => {
  it('are counted by host, with histograms folded alike', async () => {
    const telemetry = new PrometheusTelemetry(noLog, { definitions: 2, steps: 2, hosts: 1 });
    telemetry.called('a:80', 'response', 5);
    telemetry.called('a:80', 'timeout', 30_000);
    telemetry.called('b:80', 'response', 7);
    telemetry.called('c:80', 'response', 9);
    const found = await samples(telemetry);
    expect(found.get('saga_http_call_seconds_count{host="c:80",outcome="response"}')).toBe(1);
    expect(found.get('saga_http_call_seconds_count{host="other",outcome="response"}')).toBe(2);
    expect(found.get('saga_http_call_seconds_bucket{host="other",outcome="response",le="0.005"}')).toBe(1);
    expect(found.get('saga_http_call_seconds_sum{host="other",outcome="timeout"}')).toBe(30);
    expect([...found.keys()].some((series) => series.includes('host="a:80"'))).toBe(false);
  });
});

describe('gauges', () => {
  it('vanish while the store cannot be read, and the rest stays', async () => {
    const telemetry = new PrometheusTelemetry(noLog);
    let isAway = false;
    telemetry.readGaugesFrom(() =>
      isAway
        ? Promise.reject(new Error('away'))
        : Promise.resolve({
            queueSize: 3,
            isDatabaseUp: !isAway,
            load: { busy: 1, bytes: 2_000, maxBytes: 3_000 },
            store: {
              executions: { SLEEPING: 4 },
              oldestDueAgeMillis: 2500,
              stuck: 0,
              pendingHooks: 3,
              openChildren: 4,
              waitingByKid: { k: 2 },
            },
          }),
    );
    const before = await samples(telemetry);
    expect(before.get('saga_inmemory_queue_size')).toBe(3);
    expect(before.get('saga_workers_busy')).toBe(1);
    expect(before.get('saga_in_hand_bytes')).toBe(2_000);
    expect(before.get('saga_in_hand_max_bytes')).toBe(3_000);
    expect(before.get('saga_executions{status="SLEEPING"}')).toBe(4);
    expect(before.get('saga_queue_oldest_due_age_seconds')).toBe(2.5);
    expect(before.get('saga_callback_waiting{kid="k"}')).toBe(2);
    expect(before.get('saga_hooks_pending')).toBe(3);
    expect(before.get('saga_children_waiting')).toBe(4);
    isAway = true;
    const after = await samples(telemetry);
    expect(after.has('saga_executions{status="SLEEPING"}')).toBe(false);
    expect(after.has('saga_queue_oldest_due_age_seconds')).toBe(false);
    expect(after.has('saga_hooks_pending')).toBe(false);
    expect(after.has('saga_children_waiting')).toBe(false);
    expect(after.get('saga_inmemory_queue_size')).toBe(3);
  });
});

describe('a long turn', () => {
  it('is counted by its kind, and told with its definition and node', async () => {
    const lines: unknown[] = [];
    const telemetry = new PrometheusTelemetry({
      writes: () => true,
      write: (level, message, fields) => void lines.push([level, message, fields]),
    });
    telemetry.longTurn('apply', 250.4, { name: 'order', version: '1', node: 'choose' });
    telemetry.longTurn('request', 300, { route: 'POST /workflows/run' });
    telemetry.longTurn('apply', 201, { name: 'order', version: '1', node: 'choose' });
    const found = await samples(telemetry);
    expect(found.get('saga_long_turn_total{kind="apply"}')).toBe(2);
    expect(found.get('saga_long_turn_total{kind="request"}')).toBe(1);
    const message = 'long turn of the event loop';
    expect(lines[0]).toEqual([
      'warn',
      message,
      { kind: 'apply', millis: 250, name: 'order', version: '1', node: 'choose' },
    ]);
    expect(lines[1]).toEqual(['warn', message, { kind: 'request', millis: 300, route: 'POST /workflows/run' }]);
  });

  it('that nothing measures by itself is seen by a timer', async () => {
    const telemetry = new PrometheusTelemetry(noLog);
    telemetry.watchProcess();
    const until = performance.now() + 700;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await samples(telemetry)).get('saga_long_turn_total{kind="other"}')).toBeGreaterThan(0);
  });
});

describe('the text', () => {
  it('is one document with the series of the process', async () => {
    const telemetry = new PrometheusTelemetry(noLog);
    telemetry.watchProcess();
    telemetry.committed(3, 2);
    telemetry.served('GET', '/workflows/{id}', 200, 4);
    telemetry.childEnded('FAILED');
    telemetry.childEnded('FAILED');
    const found = await samples(telemetry);
    expect(found.get('saga_children_total{status="FAILED"}')).toBe(2);
    expect(found.get('saga_commit_batch_size_bucket{le="5"}')).toBe(1);
    expect(
      found.get('http_server_request_duration_seconds_count{method="GET",route="/workflows/{id}",status="200"}'),
    ).toBe(1);
    expect(found.get('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(found.has('nodejs_eventloop_lag_p99_seconds')).toBe(true);
  });

  it('names things as Prometheus wants them: units in names, counters ending in _total', () => {
    const heads = createSeries()
      .families.render()
      .split('\n')
      .filter((line) => line.startsWith('# TYPE'))
      .map((line) => line.split(' ').slice(2) as [string, string]);
    expect(heads.length).toBe(54);
    for (const [name, type] of heads) {
      expect(name).toMatch(/^(?:saga|http_server)_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_(?:seconds|size)$/);
    }
  });
});

describe('what comes from outside without end', () => {
  it.each([1000, 10_000])('keeps no trace of %d nodes of one definition beyond the limit', async (nodes) => {
    const telemetry = new PrometheusTelemetry(noLog, { definitions: 10, steps: 100, hosts: 10 });
    // Inline definitions may share name and version but have different nodes each time.
    const definition = telemetry.definition('order', '1');
    for (let i = 0; i < nodes; i++) definition.stepped(`node-${String(i)}`, 'task', 'sync', 'succeeded', 1000);
    expect(queryObjects(LabelGroup)).toBeLessThan(800);
    expect((await samples(telemetry)).size).toBeLessThan(5000);
  });

  it('counts every step once, whatever was folded meanwhile', async () => {
    const telemetry = new PrometheusTelemetry(noLog, { definitions: 10, steps: 100, hosts: 10 });
    const definition = telemetry.definition('order', '1');
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 700; i++) definition.stepped(`node-${String(i)}`, 'task', 'sync', 'succeeded', 1000);
    }
    const counts = [...(await samples(telemetry))].filter(([name]) =>
      name.startsWith('saga_step_duration_success_seconds_count'),
    );
    expect(counts.reduce((sum, [, value]) => sum + value, 0)).toBe(2100);
    expect(counts.length).toBeLessThanOrEqual(101);
  });

  it('shows no more of a host than a name may be long', async () => {
    const telemetry = new PrometheusTelemetry(noLog);
    for (const length of [1000, 1_000_000]) telemetry.called(`http://${'h'.repeat(length)}`, 'connect', 1);
    expect((await telemetry.metrics()).length).toBeLessThan(100_000);
  });
});
