/** Hooks that are delivered late, given up, and dropped since their execution goes on. */
import { expect } from 'vitest';
import { SagaBuilder } from '../e2e/stage/definitions.ts';
import type { ScriptedDownstream } from '../e2e/stage/downstream.ts';
import { until } from './cluster-stage.ts';
import type { Pod } from './pod.ts';

/** Ends one hook in each of these ways. Nothing is retried by policy, so that the ends come at once. */
export async function endHooks(pod: Pod, downstream: ScriptedDownstream): Promise<void> {
  const ended = async (name: string, hookStatus: number, nodeStatus: number): Promise<string> => {
    const saga = new SagaBuilder(downstream.url, name);
    downstream.script(`/${name}/hook`, { status: hookStatus });
    downstream.script(`/${name}/a`, { status: nodeStatus }, {});
    const hook = saga.call('hook');
    const definition = saga.linear(['a'], { onSuccessCallback: hook, onFailureCallback: hook });
    const { body } = await pod.ask('POST', '/workflows/run?waitMillis=30000', { definition });
    expect(body).toMatchObject({ hook: { state: hookStatus === 503 ? 'PENDING' : 'FAILED' } });
    return body.id as string;
  };
  const change = async (id: string, path: string): Promise<void> => {
    expect((await pod.ask('POST', `/workflows/${id}/${path}`)).status).toBe(202);
    await until(async () => (await pod.ask('GET', `/workflows/${id}`)).body.hook?.state === 'DELIVERED');
  };
  await ended('hook-in-vain', 404, 200);
  const late = await ended('hook-late', 503, 200);
  downstream.script('/hook-late/hook', {});
  await change(late, 'hook/redeliver');
  const dropped = await ended('hook-dropped', 503, 404);
  downstream.script('/hook-dropped/hook', {});
  await change(dropped, 'retry');
}
