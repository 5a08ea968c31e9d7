/**
 * Reads the definitions of a running Trama by its public API. Also reads existing Trama, whose pages have no cursor:
 * the next page is then read by offset, until one has no new rows.
 */
import { hash } from 'node:crypto';
import {
  canonicalJson,
  isJsonObject,
  isRawNumber,
  numberText,
  ownProperty,
  parseJson,
  stringifyJson,
  type Json,
  type JsonObject,
} from '../../core/value/json.ts';
import { ApiRefusal, type PagingClient, textField } from '../api-client.ts';
import { CliProblem, exitCodes } from '../terminal.ts';

/** A definition as that server stores it. */
export interface SourceDefinition {
  /** Its id there; undefined where the record has none. */
  readonly id?: string;
  readonly name: string;
  readonly version: string;
  /** Undefined where the server does not show it. */
  readonly definition?: JsonObject;
  /** The text shows `***` for a secret, as a server like this one does: it differs from the stored one. */
  readonly isMasked?: true;
}

/** Bound of the definitions of one server: more do not fit into one command. */
const maxDefinitions = 10_000;

const path = '/workflows/definitions';

/**
 * All definitions, the oldest first: a server that stores them in this order has the same `latest` of each name.
 *
 * @throws CliProblem (exit code 2) when the server cannot be read.
 */
export async function readDefinitions(api: PagingClient, url: string): Promise<readonly SourceDefinition[]> {
  const records = new Map<string, JsonObject>();
  let next: string | undefined = path;
  while (next !== undefined) {
    const { answer, cursor } = await asked(url, () => api.page(next ?? path));
    const page = listOf(answer, url);
    const before = records.size;
    for (const record of page) records.set(identityOf(record), record);
    if (records.size > maxDefinitions) {
      throw new CliProblem(
        `${url} has more than ${String(maxDefinitions)} definitions, which is the most that one import takes.`,
      );
    }
    if (cursor !== undefined) next = `${path}?${new URLSearchParams({ cursor }).toString()}`;
    else next = records.size > before ? `${path}?offset=${String(records.size)}` : undefined;
  }
  const sorted = [...records.values()].toSorted((a, b) => createdAt(a) - createdAt(b));
  const definitions: SourceDefinition[] = [];
  for (const record of sorted) definitions.push(await definitionOf(api, url, record));
  return definitions;
}

/** Names the server that refused, of the two involved. */
async function asked<T>(url: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ApiRefusal)) throw error;
    throw new CliProblem([`${url} refuses to be read (${String(error.status)}):`, ...error.lines], exitCodes.wrong);
  }
}

/** Existing Trama answers 204 where there are no rows. */
function listOf(answer: Json, url: string): readonly JsonObject[] {
  if (answer === null) return [];
  if (Array.isArray(answer)) return (answer as readonly Json[]).filter(isJsonObject);
  throw new CliProblem(`${url}${path} gave no list of definitions.`);
}

function identityOf(record: JsonObject): string {
  return textField(record, 'id') ?? `${textField(record, 'name') ?? ''}\0${textField(record, 'version') ?? ''}`;
}

/** An ISO 8601 time or a number; records without one come first, in the order of the list. */
function createdAt(record: JsonObject): number {
  const value = ownProperty(record, 'createdAt');
  if (typeof value === 'string') return Date.parse(value) || 0;
  return typeof value === 'number' || isRawNumber(value) ? Number(numberText(value)) : 0;
}

async function definitionOf(api: PagingClient, url: string, record: JsonObject): Promise<SourceDefinition> {
  const id = textField(record, 'id');
  let definition = contentOf(record);
  if (definition === undefined && id !== undefined) {
    const { answer } = await asked(url, () => api.page(`${path}/${encodeURIComponent(id)}`));
    definition = isJsonObject(answer) ? contentOf(answer) : undefined;
  }
  const text = (name: string): string => textField(definition ?? {}, name) ?? textField(record, name) ?? '';
  return {
    ...(id !== undefined && { id }),
    name: text('name'),
    version: text('version'),
    ...(definition !== undefined && { definition }),
    ...(definition !== undefined && isMasked(record, definition) && { isMasked: true as const }),
  };
}

/** The content hash in records of a server like this one. */
export function contentHash(definition: JsonObject): string {
  return hash('sha256', canonicalJson(definition));
}

function isMasked(record: JsonObject, definition: JsonObject): boolean {
  const stored = textField(record, 'hash');
  return stored !== undefined && stringifyJson(definition).includes('***') && stored !== contentHash(definition);
}

/** The definition in a record: JSON or its text. */
function contentOf(record: JsonObject): JsonObject | undefined {
  const value = ownProperty(record, 'definition');
  if (isJsonObject(value)) return value;
  if (typeof value !== 'string') return undefined;
  try {
    const parsed = parseJson(value);
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    // A record without a readable definition is reported by its name.
    return undefined;
  }
}
