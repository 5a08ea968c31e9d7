/**
 * Writes docs/operating/configuration.md from the registry of configuration keys:
 * `node scripts/config-page.ts`. A test fails while the page is not current.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyKey } from '../src/config/key.ts';
import { legacyKeys } from '../src/config/legacy-keys.ts';
import { environmentName, keys, sectionOf } from '../src/config/registry.ts';
import { rules } from '../src/config/rules.ts';

/** Where the page is, relative to the checkout. */
export const configPagePath = 'docs/operating/configuration.md';

const introduction = `<!-- Made by scripts/config-page.ts from src/config; change it there. -->

# Configuration

Trama runs without any configuration. What you want otherwise goes into one YAML file, into environment variables or
into flags; later ones win: **defaults < file < environment < flags**.

- **File**: \`trama.yaml\` in the working directory, or the one of \`TRAMA_CONFIG\`, or of \`--config FILE\`. Keys may be
  nested or written with dots. An unknown key, or a value that is not allowed, stops the start; every problem is listed.
- **Placeholders** in its texts: \`\${VAR}\`, \`\${VAR:-default}\` (also where \`VAR\` is empty), \`\${file:/path}\` (a line break
  at the end is dropped). A text that is empty then counts as not set. \`\${HOSTNAME}\` falls back to the system's host
  name. \`$\${\` is a literal \`\${\`.
- **Environment**: every key, its path in capitals with underscores for dots. Lists are comma-separated, maps are JSON
  objects. An empty variable counts as not set; one that resembles a key, or begins with \`TRAMA_\`, and that nothing
  reads is a warning. \`PORT\` and \`HOST\` are read, too; \`SERVER_PORT\` and \`SERVER_HOST\` win over them.
- **Flags**: \`--host\`, \`--port\`, \`--data-dir\`, and \`--set key=value\` for any key.

\`trama config\` prints the values in force, secrets as \`***\`, and where each came from. Times are in milliseconds, sizes in
bytes.
`;

/** Text that does not end a table cell. */
const cell = (text: string): string => text.replaceAll(/(?<!\\)\|/g, '\\|').replaceAll('\n', ' ');

function defaultOf({ spec }: AnyKey): string {
  if ('derived' in spec) return spec.derived.text;
  if (spec.defaultText !== undefined) return spec.defaultText;
  if (spec.default === undefined) return '–';
  return typeof spec.default === 'string' ? spec.default : JSON.stringify(spec.default);
}

function section(name: string, ofSection: readonly AnyKey[]): string {
  const rows = ofSection.map((key) => {
    const { kind, meaning, unit, secret } = key.spec;
    const type = unit === undefined ? kind.type : `${kind.type}, ${unit}`;
    const must = secret === true ? `${kind.expected}. Never shown` : kind.expected;
    return `| \`${key.path}\` | ${cell(type)} | ${cell(defaultOf(key))} | ${cell(meaning)} | ${cell(must)} |`;
  });
  return [`## ${name}`, '', '| Key | Type | Default | Meaning | Allowed |', '|---|---|---|---|---|', ...rows].join(
    '\n',
  );
}

/** The text of the page. */
export function configPage(): string {
  const bySection = Map.groupBy(keys, (key) => sectionOf(key.path));
  const example = 'runtime.callback.baseUrl';
  const conclusion = [
    '## Rules between keys',
    '',
    ...rules.map(
      (rule) => `- ${rule.text} ${rule.severity === 'problem' ? 'Else the start stops.' : 'Else a warning.'}`,
    ),
    '',
    '## Keys without effect',
    '',
    'Keys that only existing Trama knows are ignored, in the file, in the environment and as flags. Each one that is set makes a',
    'warning that says what takes its place:',
    '',
    '| Key of existing Trama | Instead |',
    '|---|---|',
    ...legacyKeys.map(({ path, instead }) => `| \`${path}\` | ${cell(instead)} |`),
    '| any path with a part that has `scanner` in it | Times that are due are read from the store; there is nothing to set. |',
  ].join('\n');
  return [
    `${introduction}\nFor example, \`${example}\` is \`${environmentName(example)}\` in the environment.`,
    ...[...bySection].map(([name, ofSection]) => section(name, ofSection)),
    `${conclusion}\n`,
  ].join('\n\n');
}

if (import.meta.main) writeFileSync(join(import.meta.dirname, '..', configPagePath), configPage());
