import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { decodeBody } from './coded-body.ts';
import { ApiError } from './failure.ts';
import { readJsonBytes } from './json-body.ts';

/** Makes a server decode and parse JSON bodies of at most `maxBytes` without losing digits. */
export function readJsonBodies(server: FastifyInstance, maxBytes: number): void {
  server.removeAllContentTypeParsers();
  const parse = (request: FastifyRequest, payload: IncomingMessage, done: ParsedBody): void => {
    readBytes(payload, maxBytes, (fault, bytes) => {
      if (fault !== null || bytes.length === 0) done(fault);
      else if (request.headers['content-encoding'] === undefined) parseBytes(server, request, bytes, done);
      else {
        decodeBody(request, bytes, 'malformed_json', (error, decoded) => {
          if (error !== null || decoded.length === 0) done(error);
          else parseBytes(server, request, decoded, done);
        });
      }
    });
  };
  for (const type of ['application/json', /^application\/[\w.+-]+\+json(?:\s*;|$)/i]) {
    server.addContentTypeParser(type, parse);
  }
}

type ParsedBody = (error: Error | null, body?: unknown) => void;

function parseBytes(server: FastifyInstance, request: FastifyRequest, bytes: Buffer, done: ParsedBody): void {
  const begun = performance.now();
  const read = readJsonBytes(bytes, request.headers['content-type']);
  server.workDone(request, begun);
  if (read.ok) done(null, read.value);
  else done(new ApiError(read.code, read.error));
}

/**
 * Reads a body of at most `maxBytes`. Calls `done` once, after which nothing more is read. Fastify's own reader copies
 * every body, and adds and removes three listeners.
 */
function readBytes(
  payload: IncomingMessage,
  maxBytes: number,
  done: (fault: Error | null, bytes: Buffer) => void,
): void {
  const announced = payload.headers['content-length'];
  if (Number(announced) > maxBytes) {
    done(new ApiError('too_large'), empty);
    return;
  }
  let first: Buffer = empty;
  let more: Buffer[] | undefined;
  let length = 0;
  let isDone = false;
  const end = (fault: Error | null, bytes: Buffer): void => {
    if (isDone) return;
    isDone = true;
    done(fault, bytes);
  };
  payload.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > maxBytes) end(new ApiError('too_large'), empty);
    if (isDone) return;
    if (first === empty) first = chunk;
    else (more ??= [first]).push(chunk);
  });
  payload.on('end', () => {
    if (announced !== undefined && length !== Number(announced)) end(new ApiError('malformed_http'), empty);
    else end(null, more === undefined ? first : Buffer.concat(more, length));
  });
  payload.on('error', (error) => end(error, empty));
}

const empty: Buffer = Buffer.alloc(0);

/** Answers `Expect: 100-continue` with 100, unless the announced body exceeds the limit. */
export function answerExpectations(server: FastifyInstance, maxRequestBytes: number): void {
  server.server.on('checkContinue', (request, response) => {
    const isTooLarge = Number(request.headers['content-length']) > maxRequestBytes;
    if (!isTooLarge) response.writeContinue();
    server.server.emit('request', request, response);
  });
}
