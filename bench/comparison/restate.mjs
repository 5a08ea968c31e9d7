/** The chain as a handler of a Restate service with three durable steps; the server calls it over HTTP/2. */
import { createServer } from 'node:http2';
import { createEndpointHandler, service } from '@restatedev/restate-sdk';
import { call } from './calls.mjs';

const chain = service({
  name: 'chain',
  handlers: {
    run: async (context, { payload }) => {
      const { id } = context.request();
      const first = await context.run('call1', () => call(payload, 1, 'none', id));
      const second = await context.run('call2', () => call(payload, 2, first.reference, id));
      await context.run('call3', () => call(payload, 3, second.reference, id));
      return { status: 'SUCCEEDED' };
    },
  },
});

const server = createServer(createEndpointHandler({ services: [chain] }));
server.listen(0, '127.0.0.1', () => process.send?.({ port: server.address().port }));
process.on('disconnect', () => process.exit(0));
