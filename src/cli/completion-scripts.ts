/**
 * Generates shell scripts that complete command lines of `trama`. The scripts contain all data: a shell cannot wait at
 * each key for a process that takes a tenth of a second to start.
 */

/** An option of a command. */
export interface CompletedOption {
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** The values of the option, where they are few. */
  readonly choices: readonly string[];
}

/** A command, or a subcommand. */
export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** Possible words for its arguments. */
  readonly words: readonly string[];
  /** Whether its arguments are files. */
  readonly takesFiles: boolean;
  readonly commands: readonly CompletedCommand[];
}

const help: CompletedOption = {
  flags: ['-h', '--help'],
  description: 'show help',
  takesValue: false,
  choices: [],
};

/** Every command by its words. */
function paths(commands: readonly CompletedCommand[]): readonly (readonly [path: string, command: CompletedCommand])[] {
  return commands.flatMap((command) => [
    [command.name, command] as const,
    ...command.commands.map((sub) => [`${command.name} ${sub.name}`, sub] as const),
  ]);
}

function optionsOf({ options }: CompletedCommand): readonly CompletedOption[] {
  return [...options, help];
}

function flagsOf(command: CompletedCommand): readonly string[] {
  return optionsOf(command).flatMap(({ flags }) => flags);
}

/** The text in single quotes, for any of the shells. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** For bash 4 and later. */
export function bashScript(commands: readonly CompletedCommand[]): string {
  const all = paths(commands);
  const words = all.map(([path, command]) => {
    const own = [...command.commands.map(({ name }) => name), ...command.words];
    return `    ${quoted(path)}) words=${quoted(own.join(' '))} flags=${quoted(flagsOf(command).join(' '))} files=${String(command.takesFiles)} ;;`;
  });
  const values = all.flatMap(([path, command]) =>
    command.options
      .filter(({ takesValue }) => takesValue)
      .map(({ flags, choices }) => {
        const patterns = flags.map((flag) => quoted(`${path} ${flag}`)).join('|');
        return `    ${patterns}) values=${quoted(choices.join(' '))} takes=true ;;`;
      }),
  );
  const groups = commands.filter((command) => command.commands.length > 0).map(({ name }) => name);
  return `# Completion of trama for bash.
_trama() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local path="" word words="" flags="" files=false values="" takes=false
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) continue ;; esac
    if [ -z "$path" ]; then path="$word"
    else case "$path" in ${groups.join('|') || '""'}) path="$path $word" ;; esac
      break
    fi
  done
  if [ -z "$path" ]; then
    COMPREPLY=($(compgen -W ${quoted(['help', ...commands.map(({ name }) => name)].join(' '))}' --help --version' -- "$current"))
    return
  fi
  case "$path $previous" in
${values.join('\n')}
  esac
  if [ "$takes" = true ]; then
    if [ -n "$values" ]; then COMPREPLY=($(compgen -W "$values" -- "$current"))
    else COMPREPLY=($(compgen -f -- "$current")); fi
    return
  fi
  case "$path" in
    'help') words=${quoted(commands.map(({ name }) => name).join(' '))} ;;
${words.join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current"))
      if [ "$files" = true ]; then COMPREPLY+=($(compgen -f -- "$current")); fi ;;
  esac
}
complete -o filenames -F _trama trama
`;
}

/** For zsh 5. */
export function zshScript(commands: readonly CompletedCommand[]): string {
  const described = (name: string, text: string): string => quoted(`${name.replaceAll(':', '\\:')}:${text}`);
  const spec = ({ flags, description, takesValue, choices }: CompletedOption): string[] =>
    flags.map((flag) => {
      const text = description.replaceAll(/[[\]:]/g, (char) => `\\${char}`);
      const value = takesValue ? (choices.length > 0 ? `:value:(${choices.join(' ')})` : ':value:_files') : '';
      return quoted(`${flag}[${text}]${value}`);
    });
  const branch = (command: CompletedCommand): string => {
    const options = optionsOf(command).flatMap(spec).join(' ');
    if (command.commands.length > 0) {
      const subs = command.commands.map(({ name, summary }) => described(name, summary)).join(' ');
      const inner = command.commands.map((sub) => `        ${quoted(sub.name)}) ${branch(sub)} ;;`);
      return `if (( CURRENT == 3 )); then local -a subs=(${subs}); _describe command subs
      else case "$words[3]" in
${inner.join('\n')}
      esac; fi`;
    }
    const rest = command.takesFiles ? "'*:file:_files'" : `'*:word:(${command.words.join(' ')})'`;
    return `_arguments ${options} ${rest}`;
  };
  return `#compdef trama
# Completion of trama for zsh.
_trama() {
  if (( CURRENT == 2 )); then
    local -a commands=(${commands.map(({ name, summary }) => described(name, summary)).join(' ')})
    _describe command commands
    return
  fi
  case "$words[2]" in
${commands.map((command) => `    ${quoted(command.name)}) ${branch(command)} ;;`).join('\n')}
  esac
}
_trama "$@"
`;
}

/** For fish 3. */
export function fishScript(commands: readonly CompletedCommand[]): string {
  const option = (when: string, { flags, description, takesValue, choices }: CompletedOption): string => {
    const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
    const value = takesValue ? (choices.length > 0 ? ` -x -a ${quoted(choices.join(' '))}` : ' -r') : '';
    return `complete -c trama -n ${quoted(when)} ${names.join(' ')}${value} -d ${quoted(description)}`;
  };
  const lines = commands.flatMap((command) => {
    const { name, summary } = command;
    const seen = `__fish_seen_subcommand_from ${name}`;
    const subs = command.commands.map((sub) => sub.name).join(' ');
    return [
      `complete -c trama -f -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...(command.takesFiles ? [`complete -c trama -n ${quoted(seen)} -F`] : []),
      ...(command.words.length > 0
        ? [`complete -c trama -f -n ${quoted(seen)} -a ${quoted(command.words.join(' '))}`]
        : []),
      ...optionsOf(command).map((each) => option(seen, each)),
      ...command.commands.flatMap((sub) => [
        `complete -c trama -f -n ${quoted(`${seen}; and not __fish_seen_subcommand_from ${subs}`)} -a ${sub.name} -d ${quoted(sub.summary)}`,
        ...sub.options.map((each) => option(`${seen}; and __fish_seen_subcommand_from ${sub.name}`, each)),
      ]),
    ];
  });
  return `# Completion of trama for fish.\ncomplete -c trama -f\n${lines.join('\n')}\n`;
}
