import type { Socket } from 'node:net';
import { errorRegistry } from '../error-registry.ts';
import { errorBody } from './failure.ts';
import type { LingeringCloses } from './lingering-closes.ts';

const clientErrors: Readonly<Record<string, 'headers_too_large' | 'request_timeout'>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/**
 * Answers bytes that Node cannot parse as a request. There is no reply object, so the function writes the response
 * itself.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket, closes: LingeringCloses): void {
  if (error.code === 'ECONNRESET' || !socket.writable || closes.has(socket)) {
    socket.destroy();
    return;
  }
  const code = clientErrors[error.code ?? ''] ?? 'malformed_http';
  const { status, meaning } = errorRegistry[code];
  const body = errorBody(code, [meaning], '');
  socket.write(
    `HTTP/1.1 ${String(status)} ${statusWords[status] ?? 'Error'}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${String(Buffer.byteLength(body))}\r\nConnection: close\r\n\r\n${body}`,
  );
  closes.linger(socket);
}

const statusWords: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};
