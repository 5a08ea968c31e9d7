/** The command line as a whole: finds the command, loads it alone, turns what it throws into sentences. */
import { Command, CommanderError } from 'commander';
import { commands, type CommandEntry } from './command-table.ts';
import { CliProblem, exitCodes, processTerminal, type Terminal } from './terminal.ts';
import { packageVersion } from './version.ts';

const afterHelp = `
Exit codes: 0 all is well; 1 the command found something (an invalid definition, a saga that did not succeed, a start
that failed); 2 it was used wrongly or could not do its work.

Configuration comes from trama.yaml (or --config, or TRAMA_CONFIG), the environment and flags; see "trama config".`;

/** Runs one command and answers the exit code of the process. Never throws. */
export async function runCli(args: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  try {
    const program = await buildProgram(args, terminal);
    await program.parseAsync([...args], { from: 'user' });
    return terminal.exitCode;
  } catch (error) {
    // Help and versions end the parsing, too, with exit code 0; commander has already said what is wrong otherwise.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.good : exitCodes.wrong;
    if (error instanceof CliProblem) {
      for (const line of error.lines) terminal.note(line);
      return error.exitCode;
    }
    terminal.noteText(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return exitCodes.wrong;
  }
}

/** Which command the arguments name, so that only its module is loaded. */
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

/** Enough of a command for the list in the help. */
function summaryOf({ name, summary }: CommandEntry): Command {
  return new Command(name).description(summary);
}

function prepare(command: Command, terminal: Terminal): Command {
  return command
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('Run it with --help to see how it is used.')
    .configureOutput({
      writeOut: (text) => {
        terminal.outText(text.trimEnd());
      },
      writeErr: (text) => {
        terminal.noteText(text.trimEnd());
      },
    });
}
