import { type Json, stringifyJson } from '../../../../src/core/value/json.ts';
import type { Answer } from '../../api/client.ts';
import { type PreviewedCall, readPreview } from '../../api/executions.ts';

/** The answer of a preview: its requests, its text, and the tag of what was previewed. */
export interface Previewed {
  readonly calls: readonly PreviewedCall[];
  readonly text: string;
  readonly tag: string | undefined;
}

/** Reads a preview. The page and the dialogs share what was read, so they read it alike. */
export function readPreviewed(json: Json, { headers }: Pick<Answer, 'headers'>): Previewed {
  return { calls: readPreview(json), text: stringifyJson(json), tag: headers.get('etag') ?? undefined };
}
