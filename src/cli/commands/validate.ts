import type { Command } from 'commander';
import { compileDefinition } from '../../core/definition/compile.ts';
import { readDefinitionFile } from '../document-file.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

interface Report {
  readonly file: string;
  readonly valid: boolean;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** `trama validate`: offline, with the checks of the server and its default limits. */
export function defineValidate(command: Command, terminal: Terminal): void {
  command
    .argument('<file...>', 'definitions in JSON or YAML; - for standard input')
    .option('--strict', 'take warnings as errors')
    .option('--json', 'print one JSON document: { valid, files: [{ file, valid, errors, warnings }] }')
    .addHelpText('after', '\nExit codes: 0 all are valid, 1 some are not, 2 a file cannot be read.')
    .action((files: readonly string[], options: { readonly strict?: true; readonly json?: true }) => {
      const unreadable: string[] = [];
      const reports = files.map((file) => validate(file, options.strict === true, unreadable));
      const valid = reports.every((report) => report.valid);
      if (options.json === true) terminal.outText(JSON.stringify({ valid, files: reports }, null, 2));
      else for (const report of reports) printReport(report, terminal);
      terminal.exitCode = valid ? exitCodes.good : exitCodes.found;
      if (unreadable.length > 0) terminal.exitCode = exitCodes.wrong;
    });
}

function validate(file: string, isStrict: boolean, unreadable: string[]): Report {
  try {
    // The hash only names the plan, and the plan is thrown away.
    const read = readDefinitionFile(file);
    const compiled = compileDefinition(read.definition, { hash: '' });
    const errors = compiled.ok ? [] : compiled.errors;
    const warnings = [...read.warnings, ...compiled.warnings];
    return isStrict
      ? { file, valid: errors.length + warnings.length === 0, errors: [...errors, ...warnings], warnings: [] }
      : { file, valid: errors.length === 0, errors, warnings };
  } catch (error) {
    // A file that cannot be read must not hide what is wrong with the others.
    if (!(error instanceof CliProblem)) throw error;
    if (error.exitCode === exitCodes.wrong) unreadable.push(file);
    return { file, valid: false, errors: error.lines, warnings: [] };
  }
}

function printReport({ file, valid, errors, warnings }: Report, terminal: Terminal): void {
  terminal.out(`${file}: ${valid ? 'valid' : `${errors.length} ${errors.length === 1 ? 'problem' : 'problems'}`}`);
  for (const error of errors) terminal.out(`  - ${error}`);
  for (const warning of warnings) terminal.out(`  warning: ${warning}`);
}
