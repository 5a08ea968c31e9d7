/** A pod that was cut off from Postgres and a Redis Cluster sends nothing stale once it is back. */
import { it } from 'vitest';
import { openClusterStage, shortTimes } from './cluster-stage.ts';
import { sever } from './severed.ts';

const stage = openClusterStage({ redis: 'cluster', env: shortTimes });

it('sends nothing stale when its way to the queue heals before that to the store', () =>
  sever(stage, 'queue', 'store'));

it('sends nothing stale when its way to the store heals before that to the queue', () =>
  sever(stage, 'store', 'queue'));
