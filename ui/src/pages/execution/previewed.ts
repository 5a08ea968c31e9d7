import { type Json, type JsonObject, stringifyJson } from '../../../../src/core/value/json.ts';
import type { Answer } from '../../api/client.ts';
import { type PreviewedCall, readPreview } from '../../api/executions.ts';
import { listAt, numberAt, objectOf, textAt } from '../../api/reading.ts';

/** A call that is under way, or an effect that would stand. */
export interface PreviewedEffect {
  readonly nodeId: string;
  readonly visit: number;
  readonly verb: string;
  readonly url: string;
  readonly outcome: string;
}

/** The answer of a preview: what would be sent, what is under way, what would stand, and its tag. */
export interface Previewed {
  readonly calls: readonly PreviewedCall[];
  readonly inFlight: readonly PreviewedEffect[];
  readonly stands: readonly PreviewedEffect[];
  /** Undefined for a new round, whose end is not known. */
  readonly wouldEndAs: string | undefined;
  /** What is compared after a refusal: everything but times. */
  readonly text: string;
  readonly tag: string | undefined;
}

/** Reads a preview. The page and the dialogs share what was read, so they read it alike. */
export function readPreviewed(json: Json, { headers }: Pick<Answer, 'headers'>): Previewed {
  const value = objectOf(json);
  return {
    calls: readPreview(json),
    inFlight: effectsAt(value, 'inFlight'),
    stands: effectsAt(value, 'stands'),
    wouldEndAs: textAt(value, 'wouldEndAs'),
    text: stringifyJson(json),
    tag: headers.get('etag') ?? undefined,
  };
}

function effectsAt(value: JsonObject, name: string): readonly PreviewedEffect[] {
  return listAt(value, name).map((each) => {
    const effect = objectOf(each);
    return {
      nodeId: textAt(effect, 'nodeId') ?? '',
      visit: numberAt(effect, 'visit') ?? 1,
      verb: textAt(effect, 'verb') ?? '',
      url: textAt(effect, 'url') ?? '',
      outcome: textAt(effect, 'outcome') ?? '',
    };
  });
}

/** The parameters with which all previews are read. That of a terminate has one form only. */
export function previewParameters(path: string): Readonly<Record<string, string>> {
  return path === 'terminate-preview' ? {} : { form: 'object' };
}
