import { type Json, parseJson } from '../../../../src/core/value/json.ts';
import { ask } from '../../api/client.ts';
import type { Execution } from '../../api/executions.ts';
import type { TimelineRow } from '../../api/timeline.ts';

/** Rows of the history in a file. */
const maxRows = 1000;

/** Everything that the API tells of a run, as one JSON text: for a ticket, or to look at it elsewhere. */
export async function runFile(id: string, definition: string | undefined): Promise<string> {
  const base = `/workflows/${id}`;
  const read = async (path: string): Promise<Json> => (await ask(base + path, { parameters: { limit: maxRows } })).json;
  const [status, steps, calls, timeline] = await Promise.all([
    ask(base).then(({ json }) => json),
    read('/steps'),
    read('/steps/calls'),
    read('/timeline'),
  ]);
  const document: Json = {
    format: 'trama-run.v1',
    status,
    ...(definition !== undefined && { definition: parseJson(definition) }),
    steps,
    calls,
    timeline,
  };
  return JSON.stringify(document, undefined, 2);
}

/** A text that no table or emphasis of Markdown takes for its own. */
const plain = (text: string): string => text.replaceAll(/[\\|*_`<>[\]]/g, String.raw`\$&`).replaceAll('\n', ' ');

/** A run in Markdown: the sentence, the facts and the attempts, without what was sent and received. */
export function runMarkdown(
  run: Execution,
  sentence: { readonly headline: string; readonly detail: string },
  rows: readonly TimelineRow[],
): string {
  const instant = (at: number | undefined): string => (at === undefined ? '' : new Date(at).toISOString());
  const calls = rows.filter(({ callId }) => callId !== undefined);
  const lines = calls.map(({ phase, nodeId, visit, attempt, outcome, statusCode, note = '', from }) =>
    [
      instant(from),
      phase === 'DOWN' ? `undo of ${nodeId}` : nodeId,
      `${String(visit)}.${String(attempt)}`,
      outcome,
      statusCode ?? note,
    ]
      .map((cell) => plain(String(cell)))
      .join(' | '),
  );
  const standing = run.standing.map(({ nodeId, outcome }) => `${nodeId} (${outcome})`);
  return [
    `**${run.status}** ${plain(run.name)} ${plain(run.version)}, \`${run.id}\``,
    '',
    `${plain(sentence.headline)} ${plain(sentence.detail)}`.trim(),
    '',
    `- started ${instant(run.startedAt)}${run.completedAt === undefined ? '' : `, ended ${instant(run.completedAt)}`}`,
    ...(run.reason === undefined ? [] : [`- reason ${plain(run.reason)}`]),
    `- stands: ${standing.length === 0 ? 'nothing' : plain(standing.join(', '))}`,
    '',
    '| At | Call | Visit.attempt | Outcome | Answer |',
    '|---|---|---|---|---|',
    ...lines.map((line) => `| ${line} |`),
    '',
  ].join('\n');
}
