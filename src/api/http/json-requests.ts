import type { FastifyInstance, FastifyRequest } from 'fastify';
import { decodeBody } from './coded-body.ts';
import { ApiError } from './failure.ts';
import { readJsonBytes } from './json-body.ts';

/** Makes a server decode and parse JSON bodies without losing digits. */
export function readJsonBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  const parse = (request: FastifyRequest, bytes: Buffer, done: (error: Error | null, body?: unknown) => void): void => {
    if (bytes.length === 0) {
      done(null, undefined);
      return;
    }
    decodeBody(request, bytes, 'malformed_json', (error, decoded) => {
      if (error !== null || decoded.length === 0) {
        done(error, undefined);
        return;
      }
      const begun = performance.now();
      const read = readJsonBytes(decoded, request.headers['content-type']);
      server.workDone(request, begun);
      if (read.ok) done(null, read.value);
      else done(new ApiError(read.code, read.error));
    });
  };
  for (const type of ['application/json', /^application\/[\w.+-]+\+json(?:\s*;|$)/i]) {
    server.addContentTypeParser(type, { parseAs: 'buffer' }, parse);
  }
}

/** Answers `Expect: 100-continue` with 100, unless the announced body exceeds the limit. */
export function answerExpectations(server: FastifyInstance, maxRequestBytes: number): void {
  server.server.on('checkContinue', (request, response) => {
    const isTooLarge = Number(request.headers['content-length']) > maxRequestBytes;
    if (!isTooLarge) response.writeContinue();
    server.server.emit('request', request, response);
  });
}
