/** The option `--with`: definitions of the runs that the nodes of another definition start. */
import type { Command } from 'commander';
import { cycleWarnings } from '../../app/family/started-definitions.ts';
import type { Json } from '../../core/value/json.ts';
import type { Plan } from '../../core/plan.ts';
import { Definitions } from '../../scenario/definitions.ts';
import { compileNoted } from './plan-file.ts';
import { readNotedDefinition } from './document-file.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

/** A definition that was given with `--with`. */
export interface GivenDefinition {
  readonly file: string;
  readonly definition: Json;
  readonly plan: Plan;
}

/** Adds the option. */
export function withOption(command: Command): Command {
  return command.option(
    '--with <file>',
    'a definition that a workflow node starts; may be repeated, and the last one of a name is its latest version',
    (file: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), file],
  );
}

/**
 * Reads and compiles the files of the option.
 *
 * @throws CliProblem when one cannot be read or has no valid definition, or when two have the same name and version.
 */
export function givenDefinitions(
  files: readonly string[] | undefined,
  terminal: Pick<Terminal, 'note'>,
): readonly GivenDefinition[] {
  const given = (files ?? []).map((file) => {
    const definition = readNotedDefinition(file, terminal);
    return { file, definition, plan: compileNoted(file, definition) };
  });
  for (const [i, { file, plan }] of given.entries()) {
    const same = given.slice(0, i).find((other) => isSame(other.plan, plan));
    if (same === undefined) continue;
    throw new CliProblem(
      `${same.file} and ${file} both define ${JSON.stringify(plan.name)} with version ${JSON.stringify(plan.version)}.`,
      exitCodes.found,
    );
  }
  return given;
}

function isSame(a: Plan, b: Plan): boolean {
  return a.name === b.name && a.version === b.version;
}

/** Says of each node of these definitions that starts one that was not given. */
export function missingDefinitions(plan: Plan, others: readonly Plan[]): readonly string[] {
  const definitions = new Definitions(plan, others);
  return [plan, ...others].flatMap((each) =>
    [...each.nodes.values()].flatMap((node) => {
      if (node.kind !== 'workflow' || definitions.find(node.definition) !== undefined) return [];
      const { name, version } = node.definition;
      const started = `${JSON.stringify(name)} with version ${JSON.stringify(version)}`;
      return [
        `The node ${JSON.stringify(node.id)} of ${JSON.stringify(each.name)} starts ${started}, which was not given: add --with and its file.`,
      ];
    }),
  );
}

/** Warns where a definition starts itself through others that were given. */
export function givenCycles(plan: Plan, others: readonly Plan[]): Promise<readonly string[]> {
  const definitions = new Definitions(plan, others);
  return cycleWarnings(plan, (definition) => definitions.find(definition));
}
