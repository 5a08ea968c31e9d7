/**
 * What the examples and the valid definitions of the tests do, as digests: every definition is played with all calls answered well,
 * with each call and each compensation failing in turn, and with a cancel or a terminate at each instant at which something happens.
 * A change of the engine that is to leave existing definitions alone leaves the digests alone.
 *
 * `node test/scenario/transcripts.ts` prints those of this checkout. They are recorded anew only with a change that is meant to change
 * what definitions do.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseDocumentText } from '../../src/cli/documents/document-file.ts';
import { compileDefinition } from '../../src/core/definition/compile.ts';
import type { Plan } from '../../src/core/plan.ts';
import { isJsonObject, type Json, type JsonObject, stringifyJson } from '../../src/core/value/json.ts';
import { readScenario } from '../../src/scenario/document/read.ts';
import { simulate, type SimulationResult } from '../../src/scenario/simulate.ts';
import { validDefinitions } from '../definitions/valid.ts';

/** Digests by definition and case. */
export type Transcripts = Readonly<Record<string, Readonly<Record<string, string>>>>;

interface Subject {
  readonly name: string;
  readonly plan: Plan;
  /** Scenarios of its own, the first one with all calls answered well. */
  readonly scenarios: readonly (readonly [name: string, scenario: JsonObject])[];
}

const examples = join(import.meta.dirname, '../../examples');

/** Instants at which a person acts, of one definition. */
const maxInstants = 12;

function planOf(definition: Json): Plan {
  const compiled = compileDefinition(definition, { hash: '' });
  if (!compiled.ok) throw new Error(compiled.errors.join('\n'));
  return compiled.plan;
}

function documentAt(path: string): Json {
  return parseDocumentText(readFileSync(path, 'utf8'), path);
}

function exampleSubjects(): readonly Subject[] {
  return globSync('**/definition.{json,yaml}', { cwd: examples })
    .toSorted()
    .map((path) => {
      const directory = join(examples, dirname(path));
      const payload = join(directory, 'payload.json');
      const own = globSync('scenarios/*.{json,yaml}', { cwd: directory })
        .toSorted()
        .map((file) => [file, documentAt(join(directory, file)) as JsonObject] as const);
      // The variables are those of its first scenario, without which no request could be rendered.
      const vars = own[0]?.[1]['vars'] ?? {};
      const plain = { payload: existsSync(payload) ? documentAt(payload) : {}, vars };
      const plan = planOf(documentAt(join(examples, path)));
      return { name: `examples/${dirname(path)}`, plan, scenarios: [['well', plain], ...own] };
    });
}

function testSubjects(): readonly Subject[] {
  return validDefinitions.map(({ name, definition }) => {
    const plan = planOf(definition);
    const payload: Record<string, Json> = {};
    for (const { keys } of plan.requiredPayload) put(payload, keys);
    return { name: `test: ${name}`, plan, scenarios: [['well', { payload }]] };
  });
}

/** Puts a value at a path, so that a payload has all that a definition requires. */
function put(into: Record<string, Json>, keys: readonly string[]): void {
  const [key = '', ...rest] = keys;
  if (rest.length === 0) {
    into[key] ??= 'x';
    return;
  }
  const below = into[key];
  const next: Record<string, Json> = isJsonObject(below) ? { ...below } : {};
  put(next, rest);
  into[key] = next;
}

/** The answers with which each call fails in turn. */
const failures: readonly (readonly [string, JsonObject])[] = [
  ['rejected', { status: 409 }],
  ['unknown', { status: 504 }],
  ['refused', { error: 'connect' }],
  ['late', { error: 'timeout' }],
];

function play(plan: Plan, scenario: JsonObject): SimulationResult | undefined {
  const read = readScenario(scenario, plan);
  return read.ok ? simulate(plan, read.scenario) : undefined;
}

function digestOf(result: SimulationResult): string {
  const { diffs: _diffs, ...happened } = result;
  return createHash('sha256')
    .update(stringifyJson(happened as unknown as Json))
    .digest('hex')
    .slice(0, 12);
}

/** The scenarios of a subject: its own, each call failing, a person at each instant. */
function* casesOf({ plan, scenarios }: Subject): Generator<readonly [string, JsonObject]> {
  yield* scenarios;
  const [, well = {}] = scenarios[0] ?? [];
  for (const node of plan.nodes.values()) {
    if (node.kind !== 'task') continue;
    for (const [how, answer] of failures) yield [`${node.id} ${how}`, { ...well, nodes: { [node.id]: [answer] } }];
    if (node.compensation === undefined) continue;
    yield [
      `${node.id} not undone`,
      { ...well, nodes: { [`${node.id}:DOWN`]: [{ status: 500 }] }, actions: [{ do: 'cancel', atMillis: 1 }] },
    ];
  }
  const instants = new Set((play(plan, well)?.trace ?? []).map(({ atMillis }) => atMillis));
  for (const atMillis of [...instants].slice(0, maxInstants)) {
    for (const what of ['cancel', 'terminate', 'wake'])
      yield [`${what} at ${String(atMillis)}`, { ...well, actions: [{ do: what, atMillis }] }];
  }
}

/** The digests of all definitions there are. */
export function transcripts(): Transcripts {
  return Object.fromEntries(
    [...exampleSubjects(), ...testSubjects()].map((subject) => [
      subject.name,
      Object.fromEntries(
        [...casesOf(subject)].flatMap(([name, scenario]) => {
          const result = play(subject.plan, scenario);
          return result === undefined ? [] : [[name, digestOf(result)]];
        }),
      ),
    ]),
  );
}

if (import.meta.filename === process.argv[1]) {
  process.stdout.write(`${JSON.stringify(transcripts(), undefined, 1)}\n`);
}
