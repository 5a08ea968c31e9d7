import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../core/value/json.ts';
import type { PagingClient } from '../api-client.ts';
import { play } from './play.ts';
import type { SampleServices } from './services.ts';
import type { Story } from './stories.ts';

const story: Story = {
  title: 't',
  meaning: 'm',
  definition: 'order',
  id: 'A-1',
  payload: {},
  ends: { status: 'FAILED', calls: ['a:UP', 'a:DOWN'], stands: ['stock'] },
};

const called = (...names: readonly string[]): JsonObject[] =>
  names.map((name) => ({ stepName: name.split(':')[0]!, phase: name.split(':')[1]! }));

/** Plays a story on a server that says this. */
async function differences(
  told: Story,
  document: JsonObject,
  calls: readonly JsonObject[],
  stands: readonly string[],
): Promise<readonly string[]> {
  const api: PagingClient = {
    ask: (_method, path) => {
      const answer: Json = path.endsWith('/run')
        ? { id: 'i' }
        : path.includes('/calls')
          ? calls
          : path.includes('/steps')
            ? []
            : document;
      return Promise.resolve(answer);
    },
    page: async (path) => ({ answer: await api.ask('GET', path) }),
  };
  const services: Pick<SampleServices, 'standing'> = { standing: () => stands };
  return (await play(told, api, services, () => false)).differences;
}

describe('a story', () => {
  it('is as it should be when status, calls and effects are', async () => {
    const document = { status: 'FAILED', standing: [] };
    expect(await differences(story, document, called('a:UP', 'a:DOWN'), ['stock/A-1'])).toEqual([]);
  });

  it('is not when anything differs, and says what', async () => {
    const document = { status: 'SUCCEEDED', standing: [{ nodeId: 'a' }] };
    expect(await differences(story, document, called('a:DOWN', 'a:UP'), [])).toEqual([
      'It should have ended as FAILED, not SUCCEEDED.',
      'The calls should have been a:UP, a:DOWN; they were a:DOWN, a:UP.',
      'The services should hold stock/A-1; they hold nothing.',
      'Trama says that effects still stand.',
    ]);
  });

  it('leaves the order of parallel calls to chance, but not the calls', async () => {
    const parallel: Story = { ...story, ends: { ...story.ends, calls: ['a:UP', 'b:UP'], isParallel: true } };
    const document = { status: 'FAILED', standing: [] };
    expect(await differences(parallel, document, called('b:UP', 'a:UP'), ['stock/A-1'])).toEqual([]);
    expect(await differences(parallel, document, called('b:UP'), ['stock/A-1'])).toHaveLength(1);
  });
});
