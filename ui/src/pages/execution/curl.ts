import type { HistoryRow } from '../../api/executions.ts';
import { type Json, stringifyJson } from '../../../../src/core/value/json.ts';

/** A text as one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * A word in which secrets are to be filled in: `***` becomes a variable of the shell, which single quotes would keep from
 * being replaced.
 */
function withSecrets(text: string, name: string): string {
  return text.split('***').map(quoted).join(`"$${name}"`);
}

/** A variable name after what is masked: a header `x-api-key` becomes `X_API_KEY`. */
const variable = (text: string): string => `SECRET_${text.toUpperCase().replaceAll(/[^A-Z\d]+/g, '_')}`;

/** A body as it is sent: texts as they are, JSON digit by digit. */
const sentText = (body: Json): string => (typeof body === 'string' ? body : stringifyJson(body));

/** The request of an attempt as a command for a shell. Secrets are variables that the reader sets. */
export function curlOf({ verb, url, requestHeaders = {}, requestBody, nodeId }: HistoryRow): string {
  const secret = variable(nodeId);
  const parts = [`curl -X ${verb ?? 'GET'} ${withSecrets(url ?? '', secret)}`];
  for (const [name, value] of Object.entries(requestHeaders)) {
    if (typeof value === 'string') parts.push(`-H ${withSecrets(`${name}: ${value}`, variable(name))}`);
  }
  if (requestBody !== undefined && requestBody !== null)
    parts.push(`--data-raw ${withSecrets(sentText(requestBody), secret)}`);
  return parts.join(' \\\n  ');
}
