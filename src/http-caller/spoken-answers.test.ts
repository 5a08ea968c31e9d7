import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { call, callerWith, rawServer, requestTo, respond } from '../../test/local-servers.ts';
import { speak, toleratedAnswers, unknownAnswers, type SpokenAnswer } from '../../test/spoken-answers.ts';

const body = '{"text":"hello, \\"HTTP/1.1 100 \\""}';

/** Two calls over the same connection, where it lives so long. */
async function twice(answer: SpokenAnswer): Promise<readonly Awaited<ReturnType<typeof call>>[]> {
  const url = await rawServer((socket) => {
    speak(socket, answer, body);
  });
  const caller = callerWith();
  const request = requestTo(url, { verb: answer.verb ?? 'POST' });
  const first = await call(caller, request);
  await turn();
  return [first, await call(caller, request)];
}

describe('is tolerated', () => {
  it.each(toleratedAnswers)('$line: $what', async (answer) => {
    const { means } = answer;
    if (means === 'unknown') return expect.unreachable();
    const wanted = {
      kind: 'response',
      status: means.status,
      body: means.isEmpty ? '' : body,
      bodyJson: means.isEmpty ? null : (JSON.parse(body) as object),
    };
    for (const given of await twice(answer)) {
      expect(given).toMatchObject(wanted);
      expect(given).not.toHaveProperty('bodyProblem');
    }
  });
});

describe('is unknown', () => {
  it.each(unknownAnswers)('$line: $what', async (answer) => {
    for (const given of await twice(answer)) {
      if (given.kind === 'failed') {
        expect(given).toMatchObject({ sent: true, error: expect.stringMatching(/^(?:body|connect)$/) });
        // Only where nothing came back that could be one.
        expect(given.error === 'connect').toBe(answer.line.startsWith('No answer'));
        expect(given.message).not.toMatch(/\n|undefined|expression/);
      } else {
        const isNoStatus = given.status > 599;
        expect(isNoStatus || given.bodyProblem !== undefined).toBe(true);
      }
    }
  });
});

describe('bytes that come when nothing was asked', () => {
  it('are never taken for the next answer: their connection is dropped', async () => {
    let answered = 0;
    const late = Promise.withResolvers<void>();
    const url = await rawServer((socket) => {
      const text = String(++answered);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${text}`);
      if (answered > 1) return;
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstale'), 5);
      socket.on('close', late.resolve);
    });
    const caller = callerWith();
    expect((await respond(caller, requestTo(url))).body).toBe('1');
    await late.promise;
    expect((await respond(caller, requestTo(url))).body).toBe('2');
  });
});
