/**
 * Preloaded into a pod (`node --import`): connections to certain ports go to others instead. `TEST_ROUTES`: pairs of a port and the
 * one to connect to, as JSON.
 */
import { Socket } from 'node:net';

const routes = new Map(JSON.parse(process.env['TEST_ROUTES'] ?? '[]'));
const connect = Reflect.get(Socket.prototype, 'connect');

function routed(options) {
  if (typeof options === 'number' || typeof options === 'string') return routes.get(Number(options)) ?? options;
  if (typeof options !== 'object' || options === null) return options;
  const port = routes.get(Number(options.port));
  return port === undefined ? options : { ...options, port };
}

Socket.prototype.connect = function (...args) {
  // `net.connect` passes its arguments on as one list that it has marked.
  if (Array.isArray(args[0])) args[0][0] = routed(args[0][0]);
  else args[0] = routed(args[0]);
  return connect.apply(this, args);
};
