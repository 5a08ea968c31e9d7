/** The chain as a DBOS workflow of three steps, started in the process that runs it, without a queue between. */
import { DBOS } from '@dbos-inc/dbos-sdk';
import { call } from './calls.mjs';
import { serve } from './front.mjs';

DBOS.setConfig({
  name: 'chain',
  applicationVersion: '1',
  systemDatabaseUrl: process.env['DATABASE_URL'],
  systemDatabasePoolSize: Number(process.env['POOL_SIZE']),
  logLevel: 'error',
});

const chain = DBOS.registerWorkflow(
  async (payload, id) => {
    const first = await DBOS.runStep(() => call(payload, 1, 'none', id), { name: 'call1' });
    const second = await DBOS.runStep(() => call(payload, 2, first.reference, id), { name: 'call2' });
    return DBOS.runStep(() => call(payload, 3, second.reference, id), { name: 'call3' });
  },
  { name: 'chain' },
);
await DBOS.launch();

serve(async (payload) => {
  const id = payload.order;
  const handle = await DBOS.startWorkflow(chain, { workflowID: id })(payload, id);
  return { id, end: () => handle.getResult() };
});
