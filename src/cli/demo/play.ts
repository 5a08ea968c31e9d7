/** Runs one story through the HTTP API and compares its end with the expected one. */
import { ownProperty, type JsonObject } from '../../core/value/json.ts';
import { asObject, textField, type PagingClient } from '../api-client.ts';
import { follow, isOver } from '../view/follow.ts';
import { readHistory, type History } from '../view/timeline.ts';
import type { SampleServices } from './services.ts';
import type { Story } from './stories.ts';

/** The outcome of a story. */
export interface Played {
  readonly document: JsonObject;
  readonly history: History;
  /** The effects that the services hold under the story's id. */
  readonly standing: readonly string[];
  /** Sentences about differences from the expectation. */
  readonly differences: readonly string[];
}

/** Starts the run, performs the story's actions, and waits for its end or until `isStopped`. */
export async function play(
  story: Story,
  api: PagingClient,
  services: Pick<SampleServices, 'standing'>,
  isStopped: () => boolean,
): Promise<Played> {
  const path = `/workflows/definitions/${story.definition}/1/run`;
  const id = textField(asObject(await api.ask('POST', path, { payload: story.payload })), 'id') ?? '';
  const { act } = story;
  if (act !== undefined) {
    const met = await follow(api, id, (status) => status === act.once || isStopped());
    if (textField(met, 'status') === act.once) await api.ask('POST', `/workflows/${id}/${act.request}`, {});
  }
  const document = await follow(api, id, (status) => isOver(status) || isStopped());
  const history = await readHistory(api, id);
  const standing = services.standing(story.id);
  return { document, history, standing, differences: differencesOf(story, document, history, standing) };
}

function differencesOf(
  { id, ends }: Story,
  document: JsonObject,
  { calls }: History,
  standing: readonly string[],
): readonly string[] {
  const status = textField(document, 'status') ?? '';
  const made = calls.map((call) => `${textField(call, 'stepName') ?? ''}:${textField(call, 'phase') ?? ''}`);
  const order = (names: readonly string[]): string => (ends.isParallel === true ? names.toSorted() : names).join(', ');
  const expected = ends.stands.map((service) => `${service}/${id}`);
  const trama = ownProperty(document, 'standing');
  return [
    ...(status === ends.status ? [] : [`It should have ended as ${ends.status}, not ${status}.`]),
    ...(order(made) === order(ends.calls)
      ? []
      : [`The calls should have been ${order(ends.calls)}; they were ${order(made)}.`]),
    ...(standing.toSorted().join() === expected.toSorted().join()
      ? []
      : [
          `The services should hold ${expected.join(', ') || 'nothing'}; they hold ${standing.join(', ') || 'nothing'}.`,
        ]),
    ...(Array.isArray(trama) && trama.length > 0 ? ['Trama says that effects still stand.'] : []),
  ];
}
