/** The command line as a whole: finds the command, loads only its module, and turns errors into sentences. */
import { Command, CommanderError } from 'commander';
import { commands, type CommandEntry } from './command-table.ts';
import { CliProblem, exitCodes, processTerminal, type Terminal } from './terminal.ts';
import { packageVersion } from './version.ts';

const afterHelp = `
Exit codes: 0 all is well; 1 the command found something (an invalid definition, a saga that did not succeed, a start
that failed); 2 it was used wrongly or could not do its work.

Configuration comes from trama.yaml (or --config, or TRAMA_CONFIG), the environment and flags; see "trama config".`;

/** Runs one command and returns the exit code of the process. Never throws. */
export async function runCli(args: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  try {
    const program = await buildProgram(args, terminal);
    await program.parseAsync([...args], { from: 'user' });
    return terminal.exitCode;
  } catch (error) {
    // Help and versions also end the parsing, with exit code 0; otherwise commander has already printed the problem.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.good : exitCodes.wrong;
    if (error instanceof CliProblem) {
      for (const line of error.lines) terminal.note(line);
      return error.exitCode;
    }
    terminal.noteText(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return exitCodes.wrong;
  }
}

/** The command that the arguments name, so that only its module is loaded. */
function namedCommand(args: readonly string[]): string | undefined {
  const [first, second] = args.filter((arg) => !arg.startsWith('-'));
  return first === 'help' ? second : first;
}

async function buildProgram(args: readonly string[], terminal: Terminal): Promise<Command> {
  const program = prepare(new Command('trama'), terminal)
    .description('Runs sagas: JSON definitions, HTTP calls, compensations, one certain outcome.')
    .addHelpText('after', afterHelp)
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'show help');
  program.helpCommand('help [command]', 'show help of a command');
  const wanted = namedCommand(args);
  for (const entry of commands) {
    program.addCommand(entry.name === wanted ? await loadCommand(entry, terminal) : summaryOf(entry));
  }
  return program;
}

async function loadCommand(entry: CommandEntry, terminal: Terminal): Promise<Command> {
  const define = await entry.load();
  const command = prepare(new Command(entry.name), terminal).description(entry.summary);
  define(command, terminal);
  return command;
}

/** The part of a command that the help lists. */
function summaryOf({ name, summary }: CommandEntry): Command {
  return new Command(name).description(summary);
}

function prepare(command: Command, terminal: Terminal): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('Run it with --help for its usage.')
    .configureOutput({
      writeOut: (text) => {
        terminal.outText(text.trimEnd());
      },
      writeErr: (text) => {
        terminal.noteText(text.trimEnd());
      },
    });
}
