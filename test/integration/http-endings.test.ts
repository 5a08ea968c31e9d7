/**
 * Connections of the exporter of spans, and of outbound calls, that end in every state, in every way: the process lives, and the
 * next request works.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { GrpcSender, SendError } from '../../src/telemetry/tracing/grpc-sender.ts';
import { TestAuthority } from '../certificate-maker.ts';
import { call, callerWith, httpServer, requestTo, respond } from '../local-servers.ts';
import { OtlpReceiver } from '../otlp-receiver.ts';
import { EndingProxy, type ProxyMoment } from '../servers/ending-proxy.ts';
import type { ProxyEnding } from '../servers/tcp-proxy.ts';
import { gatherUncaught } from '../uncaught.ts';

const authority = new TestAuthority();
const pair = authority.issue({ commonName: 'server', names: ['127.0.0.1'] });

const noSpans = Buffer.alloc(0);
const goAway = Buffer.from('0000080700000000000000000000000000', 'hex');
const endings: Readonly<Record<string, ProxyEnding>> = {
  'a reset': { close: 'reset' },
  'its end': { close: 'end' },
  'half an answer of HTTP/1.1': { bytes: Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx'), close: 'end' },
  'half an answer and a reset': { bytes: Buffer.from('HTTP/1.1 200 OK\r\ncontent-le'), close: 'reset' },
  'half a frame': { bytes: goAway.subarray(0, 11), close: 'end' },
  'its last frame': { bytes: goAway, close: 'end' },
  'its last frame and a reset': { bytes: goAway, close: 'reset' },
  'an alert of TLS': { bytes: Buffer.from('15030300020232', 'hex'), close: 'end' },
  noise: { bytes: Buffer.alloc(300, 0xa7), close: 'end' },
};

const plain: readonly ProxyMoment[] = [{ at: 'accept' }, { at: 'asked', text: '' }, { at: 'answered', text: '' }];
const secure: readonly ProxyMoment[] = [{ at: 'handshake' }, ...plain];

async function proxyTo(port: number, isSecure: boolean): Promise<EndingProxy> {
  const proxy = await EndingProxy.listen(port, isSecure ? createSecureContext(pair) : undefined);
  onTestFinished(() => proxy.close());
  return proxy;
}

describe('the exporter', () => {
  it.each([
    ['in the clear', 'http', plain],
    // The exporter does not trust the authority of this certificate.
    ['by TLS that it refuses', 'https', secure],
  ] as const)('lives while its connection ends, %s', async (_name, scheme, moments) => {
    const uncaught = gatherUncaught();
    const receiver = await new OtlpReceiver().open();
    onTestFinished(() => receiver.close());
    const proxy = await proxyTo(Number(new URL(receiver.url).port), scheme === 'https');
    const sender = new GrpcSender(`${scheme}://127.0.0.1:${String(proxy.port)}`, 2000);
    for (const moment of moments) {
      for (const [name, ending] of Object.entries(endings)) {
        sender.close();
        void proxy.endNext(moment, ending);
        const failures: unknown[] = [];
        const send = (): Promise<void> => sender.send(noSpans).catch((error: unknown) => void failures.push(error));
        await Promise.all([send(), send()]);
        if (scheme === 'https') sender.close();
        else await vi.waitFor(() => sender.send(noSpans));
        expect(failures.filter((error) => !(error instanceof SendError))).toEqual([]);
        expect({ name, moment, uncaught }).toEqual({ name, moment, uncaught: [] });
      }
    }
    sender.close();
    await pause(50);
    expect(uncaught).toEqual([]);
  });
});

describe('outbound calls', () => {
  it.each([
    ['in the clear', 'http', plain, authority],
    ['by TLS', 'https', secure, authority],
    ['by TLS that is refused', 'https', secure, new TestAuthority('Stranger')],
  ] as const)('live while their connections end, %s', async (_name, scheme, moments, trusted) => {
    const uncaught = gatherUncaught();
    const { port } = await httpServer((_request, response) => response.end('{}'));
    const proxy = await proxyTo(port, scheme === 'https');
    const url = `${scheme}://127.0.0.1:${String(proxy.port)}`;
    const caller = callerWith({ tls: { ca: trusted.cert } });
    for (const moment of moments) {
      for (const [name, ending] of Object.entries(endings)) {
        proxy.cut();
        void proxy.endNext(moment, ending);
        await Promise.all([call(caller, requestTo(url)), call(caller, requestTo(url))]);
        // Given up in the handshake.
        caller.start(requestTo(url), () => undefined).abort();
        if (trusted === authority) await vi.waitFor(() => respond(caller, requestTo(url)));
        expect({ name, moment, uncaught }).toEqual({ name, moment, uncaught: [] });
      }
    }
  });
});
