import type { Command } from 'commander';
import type { EffectiveValue } from '../../config/load.ts';
import { addConfigOptions, configProblems, readSettings, type ConfigOptions } from '../server/settings.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

/** `trama config`: the values in force with their sources, secrets redacted. */
export function defineConfig(command: Command, terminal: Terminal): void {
  addConfigOptions(command)
    .option('--json', 'print one JSON document: { ok, values, warnings, problems }')
    .addHelpText('after', '\nSecrets are shown as ***. Exit code 1 when the configuration has problems.')
    .action((options: ConfigOptions & { readonly json?: true }) => {
      const loaded = readSettings(options, terminal);
      const { warnings } = loaded;
      const problems = loaded.ok ? [] : loaded.problems;
      if (options.json === true) {
        const values = loaded.ok ? loaded.effective : [];
        // JSON would omit `undefined`, so a key without a value is null.
        const shown = values.map(({ path, value, source }) => ({ path, value: value ?? null, source }));
        terminal.outText(JSON.stringify({ ok: loaded.ok, values: shown, warnings, problems }, null, 2));
        terminal.exitCode = loaded.ok ? exitCodes.good : exitCodes.found;
        return;
      }
      for (const warning of warnings) terminal.note(`Warning: ${warning}`);
      if (!loaded.ok) throw new CliProblem(configProblems(problems), exitCodes.found);
      for (const line of table(loaded.effective)) terminal.out(line);
    });
}

function table(values: readonly EffectiveValue[]): readonly string[] {
  const rows = values.map(({ path, value, source }) => ({ path, text: shown(value), source }));
  const width = (texts: readonly string[]): number => Math.min(48, Math.max(...texts.map((text) => text.length)));
  const pathWidth = width(rows.map((row) => row.path));
  const textWidth = width(rows.map((row) => row.text));
  return rows.map(({ path, text, source }) => `${path.padEnd(pathWidth)}  ${text.padEnd(textWidth)}  ${source}`);
}

function shown(value: unknown): string {
  if (value === undefined) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
