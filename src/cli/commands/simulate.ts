import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Plan } from '../../core/plan.ts';
import { readDocumentFile } from '../documents/document-file.ts';
import { planOfFile } from '../documents/plan-file.ts';
import { tryScenario } from '../documents/scenario-file.ts';
import { givenDefinitions, withOption } from '../documents/with-files.ts';
import { isGood, junitReport, reportLines, type ScenarioReport } from '../view/simulation-report.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

interface SimulateOptions {
  readonly json?: true;
  readonly junit?: string;
  readonly validateOnly?: true;
  readonly with?: readonly string[];
}

/** `trama simulate`: plays scenarios offline, in virtual time, with the engine's own core. */
export function defineSimulate(command: Command, terminal: Terminal): void {
  withOption(command)
    .argument('<definition>', 'a definition in JSON or YAML; - for standard input')
    .argument('<scenario...>', 'scenarios in JSON or YAML')
    .option('--json', 'print one JSON document: { ok, name, version, scenarios: [{ file, ok, errors, result }] }')
    .option('--validate-only', 'check the scenarios without playing them')
    .option('--junit <file>', 'write a JUnit report, too')
    .addHelpText(
      'after',
      `
Exit codes: 0 everything came as expected (or nothing was expected), 1 something did not, or the definition or a
scenario is invalid, 2 a file cannot be read or written.`,
    )
    .action((file: string, scenarios: readonly string[], options: SimulateOptions) => {
      const plan = planOfFile(file, terminal);
      const others = givenDefinitions(options.with, terminal).map((given) => given.plan);
      const subject = { plan, with: others, onlyCheck: options.validateOnly === true };
      const reports = scenarios.map((scenario) => tryScenario(scenario, readDocumentFile(scenario), subject));
      const ok = reports.every(isGood);
      if (options.json === true) terminal.outText(JSON.stringify(jsonDocument(plan, reports, ok), null, 2));
      else print(plan, reports, terminal);
      if (options.junit !== undefined) writeReport(options.junit, junitReport(`${plan.name} ${plan.version}`, reports));
      terminal.exitCode = ok ? exitCodes.good : exitCodes.found;
    });
}

function print(plan: Plan, reports: readonly ScenarioReport[], terminal: Terminal): void {
  terminal.out(`${plan.name} ${plan.version}`);
  for (const report of reports) {
    terminal.out('');
    for (const line of reportLines(report)) terminal.show(line);
  }
  const bad = reports.filter((report) => !isGood(report));
  if (reports.length === 1) return;
  terminal.out('');
  const good = `${String(reports.length - bad.length)} of ${String(reports.length)} scenarios passed`;
  terminal.out(bad.length === 0 ? `${good}.` : `${good}; failed: ${bad.map(({ file }) => file).join(', ')}.`);
}

function jsonDocument({ name, version }: Plan, reports: readonly ScenarioReport[], ok: boolean): unknown {
  const scenarios = reports.map((report) => {
    const { file, description, errors, result } = report;
    return {
      file,
      ...(description !== undefined && { description }),
      ok: isGood(report),
      errors,
      ...(result && { result }),
    };
  });
  return { ok, name, version, scenarios };
}

function writeReport(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new CliProblem(`${file} cannot be written: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
