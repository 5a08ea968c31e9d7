/** Options of commands with a configuration, and its loading. */
import { type Command, Option } from 'commander';
import type { FlagValue } from '../../config/assignments.ts';
import type { Config } from '../../config/config.ts';
import { loadConfig, type LoadedConfig } from '../../config/load.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';

/** The options as commander passes them. */
export interface ConfigOptions {
  readonly config?: string;
  readonly host?: string;
  readonly port?: string;
  readonly dataDir?: string;
  readonly set?: readonly string[];
}

/** Adds the options of the configuration to a command. */
export function addConfigOptions(command: Command): Command {
  return command
    .addOption(
      new Option('-c, --config <file>', 'configuration file (default: TRAMA_CONFIG, or trama.yaml if it exists)'),
    )
    .addOption(new Option('--host <host>', 'server.host'))
    .addOption(new Option('-p, --port <port>', 'server.port'))
    .addOption(new Option('--data-dir <directory>', 'database.dataDir'))
    .addOption(
      new Option('--set <key=value>', 'any key of the configuration; may be repeated').argParser(
        (value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value],
      ),
    );
}

function flagsOf(options: ConfigOptions): readonly FlagValue[] {
  const named: readonly (readonly [path: string, flag: string, value: string | undefined])[] = [
    ['server.host', '--host', options.host],
    ['server.port', '--port', options.port],
    ['database.dataDir', '--data-dir', options.dataDir],
  ];
  const set = (options.set ?? []).map((text) => {
    const [, path, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (path === undefined || value === undefined)
      throw new CliProblem(`--set ${/^[\w.]*/.exec(text)?.[0] ?? ''} must have the form key=value.`);
    return { path: path.trim(), value, flag: `--set ${path.trim()}` };
  });
  return [...set, ...named.flatMap(([path, flag, value]) => (value === undefined ? [] : [{ path, flag, value }]))];
}

/** Loads the configuration without checking it. */
export function readSettings(options: ConfigOptions, terminal: Terminal): LoadedConfig {
  return loadConfig({
    env: terminal.env,
    flags: flagsOf(options),
    ...(options.config === undefined ? {} : { configFile: options.config }),
  });
}

/** Loads the configuration, prints its warnings, and ends the command with all its problems if there are any. */
export function loadSettings(options: ConfigOptions, terminal: Terminal): Config {
  const loaded = readSettings(options, terminal);
  for (const warning of loaded.warnings) terminal.note(`Warning: ${warning}`);
  if (loaded.ok) return loaded.config;
  throw new CliProblem(configProblems(loaded.problems), exitCodes.found);
}

/** Problems of a configuration as lines. */
export function configProblems(problems: readonly string[]): readonly string[] {
  const head =
    problems.length === 1 ? 'The configuration has a problem:' : `The configuration has ${problems.length} problems:`;
  return [head, ...problems.map((problem) => `  - ${problem}`)];
}
