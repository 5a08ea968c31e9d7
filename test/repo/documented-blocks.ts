/**
 * The code blocks of the documents. A word behind the language says what a block is, and so how it is checked:
 * `definition` (`warns` beside it: has warnings), `invalid` (the block after it lists its errors), `scenario` (plays against the
 * definition before it), `steps`, `nodes`, `call`, `policy`, `condition` (parts that are put into a whole definition),
 * `payload` and `sent` (what the call before them is sent as). Any other block of JSON or YAML must at least parse.
 */
import { parseDocumentText } from '../../src/cli/documents/document-file.ts';
import { isJsonObject, type Json, type JsonObject } from '../../src/core/value/json.ts';
import { repositoryFiles } from './source-files.ts';

/** One fenced block. */
export interface Block {
  /** For messages: file and line. */
  readonly place: string;
  readonly path: string;
  /** The first word behind the fence. */
  readonly language: string;
  readonly words: readonly string[];
  readonly text: string;
}

/** Every fenced block of a text, in order. */
export function blocksIn(path: string, text: string): Block[] {
  const blocks: Block[] = [];
  const fence = /^( *)(`{3,}|~{3,})([^\n`]*)\n([\s\S]*?)^\1\2[ \t]*$/gm;
  for (const match of text.matchAll(fence)) {
    const [, indent = '', , info = '', body = ''] = match;
    const [language = '', ...words] = info.trim().split(/\s+/);
    const line = text.slice(0, match.index).split('\n').length;
    const plain = indent === '' ? body : body.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
    blocks.push({ place: `${path}:${String(line)}`, path, language, words, text: plain });
  }
  return blocks;
}

/** The blocks of every document, by document. */
export const documentedBlocks: ReadonlyMap<string, readonly Block[]> = new Map(
  repositoryFiles('*.md').map((file) => [file.path, blocksIn(file.path, file.text)]),
);

/** A block as JSON. */
export function valueOf(block: Block): Json {
  return parseDocumentText(block.text, `block.${block.language}`);
}

/** Whether a value is meant to be a whole definition. */
export function looksLikeDefinition(value: Json): boolean {
  return (
    isJsonObject(value) && ['name', 'version'].every((key) => key in value) && ('steps' in value || 'nodes' in value)
  );
}

const head = { name: 'documented', version: '1' };
const call = { url: 'http://service.example/', verb: 'GET' };
const asList = (value: Json): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : [value]);

/** A whole definition around a part; undefined for words that name none. */
export function wholeAround(word: string, value: Json): JsonObject | undefined {
  switch (word) {
    case 'definition':
      return value as JsonObject;
    case 'steps':
      return { ...head, steps: asList(value) };
    case 'nodes':
      return aroundNodes(asList(value) as readonly JsonObject[]);
    case 'call':
      return { ...head, steps: [{ name: 'step', up: value }] };
    case 'policy':
      return { ...head, steps: [{ name: 'step', up: call, failureHandling: value }] };
    case 'condition':
      return aroundNodes([
        { kind: 'task', id: 'charge', action: { mode: 'sync', request: call }, next: 'choice' },
        { kind: 'switch', id: 'choice', cases: [{ when: value, target: 'yes' }], default: 'no' },
      ]);
    default:
      return undefined;
  }
}

/** The first node is the entrypoint; nodes that are named and missing are sleeps at which the run ends. */
function aroundNodes(nodes: readonly JsonObject[]): JsonObject {
  const ids = new Set(nodes.map(({ id }) => id));
  const named = nodes.flatMap((node) => [
    node['next'],
    node['onFailure'],
    node['default'],
    ...asList(node['branches'] ?? []),
    ...asList(node['cases'] ?? []).map((one) => (one as JsonObject)['target']),
  ]);
  const missing = new Set(named.filter((id) => id !== undefined && !ids.has(id)));
  const rest = [...missing].map((id) => ({ kind: 'sleep', id: id as Json, durationMillis: 1 }));
  return { ...head, entrypoint: nodes[0]?.['id'] ?? null, nodes: [...nodes, ...rest] };
}
