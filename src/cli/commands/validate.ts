import type { Command } from 'commander';
import { compileDefinition } from '../../core/definition/compile.ts';
import type { Json } from '../../core/value/json.ts';
import type { Plan } from '../../core/plan.ts';
import { type DefinitionFile, readDefinitionFile } from '../documents/document-file.ts';
import { isScenario, tryScenario } from '../documents/scenario-file.ts';
import { givenCycles, givenDefinitions, withOption } from '../documents/with-files.ts';
import { isGood, reportLines, type ScenarioReport } from '../view/simulation-report.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

interface ValidateOptions {
  readonly strict?: true;
  readonly validateOnly?: true;
  readonly json?: true;
  readonly with?: readonly string[];
}

interface Report {
  readonly file: string;
  readonly valid: boolean;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** Present for a scenario that was played. */
  readonly played?: ScenarioReport;
}

/** `trama validate`: offline, with the checks of the server and its default limits. */
export function defineValidate(command: Command, terminal: Terminal): void {
  withOption(command)
    .argument(
      '<file...>',
      'definitions in JSON or YAML, each with the scenarios that follow it, which are checked and played; - for standard input',
    )
    .option('--strict', 'take warnings as errors')
    .option('--validate-only', 'check scenarios without playing them')
    .option('--json', 'print one JSON document: { valid, files: [{ file, valid, errors, warnings, result? }] }')
    .addHelpText(
      'after',
      '\nExit codes: 0 all are valid and met their expectations, 1 some are or did not, 2 a file cannot be read.',
    )
    .action(async (files: readonly string[], options: ValidateOptions) => {
      const others = givenDefinitions(options.with, terminal).map((given) => given.plan);
      const validation = new Validation(options, others);
      const reports: Report[] = [];
      for (const file of files) reports.push(await validation.report(file));
      const valid = reports.every((report) => report.valid);
      if (options.json === true) terminal.outText(JSON.stringify({ valid, files: reports.map(jsonOf) }, null, 2));
      else for (const report of reports) printReport(report, terminal);
      terminal.exitCode = valid ? exitCodes.good : exitCodes.found;
      if (validation.unreadable.length > 0) terminal.exitCode = exitCodes.wrong;
    });
}

/** Checks files one after the other: a scenario belongs to the definition before it. */
class Validation {
  readonly unreadable: string[] = [];
  readonly #options: ValidateOptions;
  /** Definitions that workflow nodes start. */
  readonly #others: readonly Plan[];
  /** Undefined before the first definition; `invalid` if the latest could not be compiled. */
  #plan: Plan | 'invalid' | undefined;

  constructor(options: ValidateOptions, others: readonly Plan[]) {
    this.#options = options;
    this.#others = others;
  }

  async report(file: string): Promise<Report> {
    let read: DefinitionFile;
    try {
      read = readDefinitionFile(file);
    } catch (error) {
      // An unreadable file must not hide the problems of the others.
      if (!(error instanceof CliProblem)) throw error;
      if (error.exitCode === exitCodes.wrong) this.unreadable.push(file);
      return { file, valid: false, errors: error.lines, warnings: [] };
    }
    return isScenario(read.definition) ? this.#scenario(file, read.definition) : this.#definition(file, read);
  }

  async #definition(file: string, read: DefinitionFile): Promise<Report> {
    // The hash only names the plan, which never leaves this process.
    const compiled = compileDefinition(read.definition, { hash: '' });
    this.#plan = compiled.ok ? compiled.plan : 'invalid';
    const errors = compiled.ok ? [] : compiled.errors;
    const cycles = compiled.ok ? await givenCycles(compiled.plan, this.#others) : [];
    const warnings = [...read.warnings, ...compiled.warnings, ...cycles];
    return this.#options.strict === true
      ? { file, valid: errors.length + warnings.length === 0, errors: [...errors, ...warnings], warnings: [] }
      : { file, valid: errors.length === 0, errors, warnings };
  }

  #scenario(file: string, document: Json): Report {
    const plan = this.#plan;
    if (plan === undefined || plan === 'invalid') {
      const why =
        plan === undefined
          ? 'This is a scenario, and no definition comes before it: trama validate <definition> <scenario...>.'
          : 'This scenario is not checked, since the definition before it is invalid.';
      return { file, valid: false, errors: [why], warnings: [] };
    }
    const onlyCheck = this.#options.validateOnly === true;
    const tried = tryScenario(file, document, { plan, with: this.#others, onlyCheck });
    const { errors, result } = tried;
    if (result === undefined) return { file, valid: errors.length === 0, errors, warnings: [] };
    return { file, valid: isGood(tried), errors, warnings: [], played: tried };
  }
}

function jsonOf({ played, ...report }: Report): object {
  return played?.result === undefined ? report : { ...report, result: played.result };
}

function printReport({ file, valid, errors, warnings, played }: Report, terminal: Terminal): void {
  if (played !== undefined) {
    for (const line of reportLines(played)) terminal.show(line);
    return;
  }
  terminal.show(`${file}: ${valid ? 'valid' : `${errors.length} ${errors.length === 1 ? 'problem' : 'problems'}`}`);
  for (const error of errors) terminal.show(`  - ${error}`);
  for (const warning of warnings) terminal.show(`  warning: ${warning}`);
}
