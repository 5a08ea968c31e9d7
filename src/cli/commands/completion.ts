import { Argument, Command } from 'commander';
import { bashScript, fishScript, zshScript, type CompletedCommand } from '../completion-scripts.ts';
import type { Terminal } from '../terminal.ts';

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** A command of the table. */
interface Completable {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<(command: Command, terminal: Terminal) => void>;
}

/** `trama completion`: prints the script with which a shell completes command lines of this version. */
export function defineCompletion(command: Command, terminal: Terminal, commands: readonly Completable[]): void {
  command
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(scripts)))
    .addHelpText(
      'after',
      `
  bash   trama completion bash > ~/.local/share/bash-completion/completions/trama
  zsh    trama completion zsh > a file _trama in a directory of $fpath
  fish   trama completion fish > ~/.config/fish/completions/trama.fish`,
    )
    .action(async (shell: keyof typeof scripts) => {
      terminal.outText(scripts[shell](await completedCommands(commands, terminal)).trimEnd());
    });
}

/** Every command with its options and arguments, from its own definition. */
async function completedCommands(
  commands: readonly Completable[],
  terminal: Terminal,
): Promise<readonly CompletedCommand[]> {
  return Promise.all(
    commands.map(async ({ name, summary, load }) => {
      const command = new Command(name);
      (await load())(command, terminal);
      return describe(command, summary);
    }),
  );
}

function describe(command: Command, summary: string): CompletedCommand {
  return {
    name: command.name(),
    summary,
    options: command.options.map(({ short, long, description, required, argChoices }) => ({
      flags: [short, long].filter((flag) => flag !== undefined),
      description,
      takesValue: required,
      choices: argChoices ?? [],
    })),
    words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    takesFiles: command.registeredArguments.some((argument) =>
      /^(?:file|what|definition|scenario)/.test(argument.name()),
    ),
    commands: command.commands.map((sub) => describe(sub, sub.summary() || sub.description())),
  };
}
