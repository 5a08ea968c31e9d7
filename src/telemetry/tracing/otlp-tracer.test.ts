import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OtlpReceiver, spansOf } from '../../../test/otlp-receiver.ts';
import type { Span } from '../../ports/tracer.ts';
import { exportRequest } from './otlp.ts';
import { type OtlpOptions, OtlpTracer } from './otlp-tracer.ts';

const resource = { serviceName: 'orders', version: '1.2.3', instance: 'pod' };

const span = (spanId: string, changes: Partial<Span> = {}): Span => ({
  traceId: '0190a5b27c007abc8def0123456789ab',
  spanId,
  name: 'node.execute',
  kind: 'client',
  startMillis: 1_700_000_000_000.5,
  endMillis: 1_700_000_000_250,
  attributes: {},
  ...changes,
});
const ids = (n: number): Span[] => Array.from({ length: n }, (_, i) => span((i + 1).toString(16).padStart(16, '0')));

describe('the request', () => {
  it('says of a span what is known of it', () => {
    const long = 'ä'.repeat(200);
    const request = exportRequest(resource, [
      span('b7ad6b7169203331', {
        parentSpanId: '00f067aa0ba902b7',
        attributes: { text: long, count: 300, share: 0.25, below: -1, yes: true, missing: undefined },
        error: 'HTTP 500',
      }),
      span('b7ad6b7169203332', { name: 'saga.execute', kind: 'internal', endMillis: 0 }),
    ]);
    const about = { 'service.name': 'orders', 'service.version': '1.2.3', 'service.instance.id': 'pod' };
    expect(spansOf(request)).toEqual([
      {
        traceId: '0190a5b27c007abc8def0123456789ab',
        spanId: 'b7ad6b7169203331',
        parentSpanId: '00f067aa0ba902b7',
        name: 'node.execute',
        kind: 3,
        startNanos: 1_700_000_000_000_500_000n,
        endNanos: 1_700_000_000_250_000_000n,
        attributes: { text: long, count: 300, share: 0.25, below: -1, yes: true },
        status: { code: 2, message: 'HTTP 500' },
        resource: about,
      },
      expect.objectContaining({
        parentSpanId: '',
        name: 'saga.execute',
        kind: 1,
        // A span never ends before it began.
        endNanos: 1_700_000_000_000_500_000n,
        status: undefined,
      }),
    ]);
  });

  it('has room for whatever a batch holds', () => {
    const texts = [0, 1, 127, 128, 16_383, 16_384, 70_000, 300_000].map((length) => 'x'.repeat(length));
    const request = exportRequest(
      resource,
      texts.map((text, i) => span('b7ad6b7169203331', { attributes: { text, count: 2 ** (7 * i) } })),
    );
    expect(spansOf(request).map(({ attributes }) => attributes)).toEqual(
      texts.map((text, i) => ({ text, count: 2 ** (7 * i) })),
    );
  });
});

describe('the tracer', () => {
  let receiver: OtlpReceiver;
  let counts: Record<string, number>;
  let told: (string | undefined)[];
  const tracers: OtlpTracer[] = [];

  const open = (changes: Partial<OtlpOptions> = {}): OtlpTracer => {
    const tracer = new OtlpTracer({
      resource,
      endpoint: receiver.url,
      sampleRatio: 1,
      count: (result, spans) => (counts[result] = (counts[result] ?? 0) + spans),
      changed: (problem) => told.push(problem),
      ...changes,
    });
    tracers.push(tracer);
    return tracer;
  };

  beforeEach(async () => {
    counts = {};
    told = [];
    receiver = await new OtlpReceiver().open();
  });
  afterEach(async () => {
    for (const tracer of tracers.splice(0)) await tracer.close(true);
    await receiver.close();
  });

  it('follows the parent, else the ratio by the random part of the trace id', () => {
    const half = open({ sampleRatio: 0.5 });
    const low = '0190a5b27c007abc8de7ffffffffffff';
    const high = '0190a5b27c007abc8de8000000000000';
    expect([half.samples(low, undefined), half.samples(high, undefined)]).toEqual([true, false]);
    expect([half.samples(low, false), half.samples(high, true)]).toEqual([false, true]);
    expect(open({ sampleRatio: 0 }).samples(`${'0'.repeat(31)}1`, undefined)).toBe(false);
    expect(open().samples('f'.repeat(32), undefined)).toBe(true);
  });

  it('sends full batches at once, and the rest in the end', async () => {
    const tracer = open({ sizes: { queue: 100, batch: 10 } });
    for (const each of ids(25)) tracer.record(each);
    await tracer.close(false);
    expect(receiver.spans.map(({ spanId }) => spanId)).toEqual(ids(25).map(({ spanId }) => spanId));
    expect(receiver.requests).toBe(3);
    expect(counts).toEqual({ exported: 25 });
  });

  it('sends what waits after a while', async () => {
    open().record(span('b7ad6b7169203331'));
    expect(await receiver.until(() => receiver.spans[0])).toMatchObject({ spanId: 'b7ad6b7169203331' });
  });

  it('drops what finds no room, and what comes too late', async () => {
    const tracer = open({ sizes: { queue: 5, batch: 5 } });
    // The first five are being sent; the other five wait.
    for (const each of ids(13)) tracer.record(each);
    expect(counts).toEqual({ dropped: 3 });
    await tracer.close(false);
    tracer.record(span('b7ad6b7169203331'));
    expect(counts).toEqual({ dropped: 4, exported: 10 });
  });

  it('counts what the collector refuses, says so once, and goes on', async () => {
    // INVALID_ARGUMENT: the collector can never accept this request.
    receiver.status = 3;
    const tracer = open({ sizes: { queue: 100, batch: 1 } });
    for (const each of ids(2)) tracer.record(each);
    await receiver.until(() => (receiver.requests === 2 ? true : undefined));
    receiver.status = 0;
    tracer.record(span('b7ad6b7169203331'));
    await tracer.close(false);
    expect(counts).toEqual({ failed: 2, exported: 1 });
    expect(told).toEqual(['gRPC status 3', undefined]);
  });

  const quick = { maxAttempts: 4, firstMillis: 2, mostMillis: 5 };

  it.each([1, 4, 10, 11, 14, 15])(
    'sends again what the collector could not take for now (status %i)',
    async (status) => {
      receiver.next.push(status, status);
      const tracer = open({ retry: quick });
      for (const each of ids(2)) tracer.record(each);
      await tracer.close(false);
      expect([receiver.requests, receiver.spans.length]).toEqual([3, 2]);
      expect(counts).toEqual({ exported: 2 });
      expect(told).toEqual([`gRPC status ${String(status)}`, undefined]);
    },
  );

  it('gives a batch up after some attempts, and drops what finds no room meanwhile', async () => {
    receiver.status = 14;
    const tracer = open({ sizes: { queue: 2, batch: 1 }, retry: quick });
    for (const each of ids(5)) tracer.record(each);
    expect(counts).toEqual({ dropped: 2 });
    await receiver.until(() => (receiver.requests === 12 ? true : undefined));
    await tracer.close(false);
    expect(counts).toEqual({ dropped: 2, failed: 3 });
    expect(told).toEqual(['gRPC status 14']);
  });

  it('waits for an exhausted collector only where that says so', async () => {
    receiver.next.push(8);
    const tracer = open({ sizes: { queue: 9, batch: 1 }, retry: quick });
    tracer.record(span('b7ad6b7169203331'));
    await receiver.until(() => (receiver.requests === 1 ? true : undefined));
    await vi.waitFor(() => {
      expect(counts).toEqual({ failed: 1 });
    });
    receiver.next.push(8);
    const info = Buffer.from('\u0008\u0008\u001a-\n(type.googleapis.com/google.rpc.RetryInfo\u0012\u0001', 'latin1');
    receiver.trailers = { 'grpc-status-details-bin': info.toString('base64') };
    tracer.record(span('b7ad6b7169203332'));
    await tracer.close(false);
    expect(counts).toEqual({ failed: 1, exported: 1 });
  });

  it('compresses when told to', async () => {
    const tracer = open({ gzips: true });
    for (const each of ids(20)) tracer.record(each);
    await tracer.close(false);
    expect(receiver.codings).toEqual(['gzip']);
    expect(receiver.spans.map(({ spanId }) => spanId)).toEqual(ids(20).map(({ spanId }) => spanId));
  });

  it('ends a pause between attempts when it is closed', async () => {
    receiver.next.push(14);
    const tracer = open({
      sizes: { queue: 9, batch: 1 },
      retry: { maxAttempts: 2, firstMillis: 1e9, mostMillis: 1e9 },
    });
    tracer.record(span('b7ad6b7169203331'));
    await vi.waitFor(() => {
      expect(told).toHaveLength(1);
    });
    await tracer.close(false);
    expect(counts).toEqual({ exported: 1 });
  });

  it('survives a collector that is away, and one that goes away', async () => {
    const { url } = receiver;
    const tracer = open({ endpoint: url, sizes: { queue: 100, batch: 1 } });
    tracer.record(span('b7ad6b7169203331'));
    await vi.waitFor(() => {
      expect(counts).toEqual({ exported: 1 });
    });
    await receiver.close();
    tracer.record(span('b7ad6b7169203332'));
    await tracer.close(false);
    expect(counts['failed']).toBe(1);
    expect(told).toHaveLength(1);
    receiver = await new OtlpReceiver().open();
  });

  it('does not wait for a silent collector in a hurry', async () => {
    receiver.status = undefined;
    const tracer = open({ sizes: { queue: 100, batch: 1 } });
    for (const each of ids(3)) tracer.record(each);
    await receiver.until(() => (receiver.requests > 0 ? true : undefined));
    await tracer.close(true);
    expect(counts['dropped']).toBe(2);
  });
});
