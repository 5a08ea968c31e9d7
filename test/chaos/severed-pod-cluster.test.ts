/** A pod that was cut off from Postgres and a Redis Cluster sends nothing stale once it is back. */
import { it } from 'vitest';
import { openTwoStages, shortTimes } from './cluster-stage.ts';
import { sever } from './severed.ts';

const [one, another] = openTwoStages({ redis: 'cluster', env: shortTimes });

it.concurrent('sends nothing stale when its way to the queue heals before that to the store', ({ onTestFinished }) =>
  sever(one, ['queue', 'store'], onTestFinished),
);

it.concurrent('sends nothing stale when its way to the store heals before that to the queue', ({ onTestFinished }) =>
  sever(another, ['store', 'queue'], onTestFinished),
);
