/**
 * The chain as a job of three steps, each saved with `updateData` before the next (BullMQ's documentation, "Process step
 * jobs"), the last one by the job's end. Submissions and the worker share a process.
 */
import { Queue, Worker } from 'bullmq';
import { call } from './calls.mjs';
import { serve } from './front.mjs';

const { hostname, port } = new URL(process.env['REDIS_URL'] ?? '');
const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null };
const concurrency = Number(process.env['CONCURRENCY']);

const queue = new Queue('chain', { connection });
/** What waits for the end of a job, by its id. */
const waiting = new Map();

const worker = new Worker(
  'chain',
  async (job) => {
    let { step, reference } = job.data;
    for (; step < 3; step++) {
      ({ reference } = await call(job.data.payload, step, reference, job.id));
      await job.updateData({ payload: job.data.payload, step: step + 1, reference });
    }
    return call(job.data.payload, 3, reference, job.id);
  },
  { connection, concurrency, removeOnComplete: { count: 1000 } },
);
worker.on('completed', (job) => waiting.get(job.id)?.());
worker.on('failed', (_job, error) => {
  throw error;
});
await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);

serve(async (payload) => {
  const job = await queue.add('chain', { payload, step: 1, reference: 'none' }, { jobId: payload.order });
  const end = () =>
    new Promise((resolve) => {
      waiting.set(job.id, () => {
        waiting.delete(job.id);
        resolve(undefined);
      });
    });
  return { id: job.id, end };
});
