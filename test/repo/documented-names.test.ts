/** The references are complete: whatever a user can name stands in its page. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { statusNames } from '../../src/api/documents/documents.ts';
import { commands } from '../../src/cli/command-table.ts';
import { createTerminal } from '../../src/cli/terminal.ts';
import { createOfflineServer } from '../../src/compose/offline-server.ts';
import { stepPhases } from '../../src/core/history.ts';
import { documentShape, shapeBook } from '../../src/core/definition/shape/document-shape.ts';
import type { Shape, ShapeBook } from '../../src/core/definition/shape/shape.ts';
import { scenarioShape, scenarioShapes } from '../../src/scenario/document/shape.ts';
import { root } from './source-files.ts';

const page = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Every word that stands in backticks, also as the last part of a path: `action.mode` has `mode`. */
function codeWords(text: string): Set<string> {
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].flatMap((match) => match[1]!.split(/[^\w$-]+/));
  return new Set(spans);
}

/** Names of the fields of a shape, choices and tags included. */
function namesOf(shape: Shape): string[] {
  switch (shape.type) {
    case 'object':
      return Object.entries(shape.fields).flatMap(([key, field]) => [key, ...namesOf(field.shape)]);
    case 'tagged':
      return [shape.tag, ...Object.entries(shape.variants).flatMap(([tag, one]) => [tag, ...namesOf(one)])];
    case 'list':
    case 'map':
      return namesOf(shape.of);
    case 'either':
      return shape.options.flatMap((option) => namesOf(option));
    case 'choice':
      return [...shape.values];
    default:
      return [];
  }
}

function allNames(shape: Shape, book: ShapeBook): string[] {
  return [shape, ...Object.values(book).map((entry) => entry.shape)].flatMap((one) => namesOf(one));
}

/** What stands under a heading of the second level; empty when there is none. */
function sectionOf(text: string, heading: string): string {
  return text.split(`\n## ${heading}\n`)[1]?.split('\n## ', 1)[0] ?? '';
}

/** Names of all properties within a JSON Schema. */
function propertiesIn(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => [
    ...(key === 'properties' ? Object.keys(value as object) : []),
    ...propertiesIn(value),
  ]);
}

interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly responses: object;
}

async function operations(): Promise<{ route: string; operation: Operation }[]> {
  const server = createOfflineServer('0');
  const { body } = await server.inject({ url: '/openapi.json', headers: { host: 'localhost' } });
  await server.close();
  const { paths } = JSON.parse(body) as { paths: Record<string, Record<string, Operation>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      route: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
}

describe('the guide names', () => {
  it('every field and choice of definitions', () => {
    const words = codeWords(page('docs/guide/definitions.md'));
    expect(allNames(documentShape(1), shapeBook()).filter((name) => !words.has(name))).toEqual([]);
  });

  it('every field and choice of scenarios', () => {
    const words = codeWords(page('docs/guide/testing-sagas.md'));
    const statuses = new Set(statusNames);
    expect(allNames(scenarioShape, scenarioShapes).filter((name) => !words.has(name) && !statuses.has(name))).toEqual(
      [],
    );
  });

  it('every route, query parameter and field of the API', async () => {
    const text = page('docs/guide/http-api.md');
    const words = codeWords(text);
    const all = await operations();
    const listed = [...text.matchAll(/^\| \[`([A-Z]+ [^`]+)`\]/gm)].map((match) => match[1]!);
    expect(listed.toSorted()).toEqual(all.map(({ route }) => route).toSorted());
    const parameters = all.flatMap(({ operation }) => operation.parameters ?? []).filter((one) => one.in === 'query');
    expect(parameters.map(({ name }) => name).filter((name) => !words.has(name))).toEqual([]);
    const fields = all.flatMap(({ operation }) => propertiesIn(operation.responses));
    expect(fields.length).toBeGreaterThan(100);
    expect([...new Set(fields)].filter((name) => !words.has(name) && !text.includes(`"${name}"`))).toEqual([]);
  });

  it('every phase of a row of the history', () => {
    const listed = /^\| `phase` \| ([^.]*)\./m.exec(page('docs/guide/http-api.md'))?.[1] ?? '';
    expect(listed.split(', ').toSorted()).toEqual(stepPhases.toSorted());
  });

  it('every command and flag', async () => {
    const text = page('docs/guide/command-line.md');
    const terminal = createTerminal({ out: () => undefined, err: () => undefined }, {}, false);
    const missing: string[] = [];
    for (const { name, load } of commands) {
      const command = new Command(name);
      (await load())(command, terminal);
      const shared = ['Configuration flags', 'Server flags'].map((title) => sectionOf(text, title));
      const said = [sectionOf(text, name), ...shared].join('\n');
      const options = [command, ...command.commands].flatMap((one) => one.options);
      const flags = options.map(({ long, flags: all }) => long ?? all);
      missing.push(...flags.filter((flag) => !said.includes(flag)).map((flag) => `${name} ${flag}`));
      if (sectionOf(text, name) === '') missing.push(name);
    }
    expect(missing).toEqual([]);
  });

  it('every status', () => {
    for (const path of ['docs/guide/execution.md', 'docs/state-machine.md']) {
      const text = page(path);
      expect(statusNames.filter((status) => !new RegExp(`\\b${status}\\b`).test(text))).toEqual([]);
    }
  });

  it('every reason, and every stage of a token', () => {
    const source = page('src/core/call/failure-state.ts') + page('src/core/state.ts');
    const quoted = (name: string): string[] => {
      const declaration = source.split(`export type ${name} =`)[1]?.split(/;\n\n/)[0] ?? '';
      return [...declaration.matchAll(/(?:kind: |\| )'(\w+)'/g)].map((match) => match[1]!);
    };
    const reasons = quoted('FailureReason');
    const stages = quoted('Stage');
    expect([reasons.length, stages.length]).toEqual([17, 10]);
    const [execution, machine] = [codeWords(page('docs/guide/execution.md')), codeWords(page('docs/state-machine.md'))];
    expect(reasons.filter((reason) => !execution.has(reason))).toEqual([]);
    expect(stages.filter((stage) => !machine.has(stage))).toEqual([]);
  });
});

describe('the differences', () => {
  const text = page('docs/differences.md');
  const sections = text
    .split(/^## /m)
    .slice(1)
    .map((section) => ({ title: section.split('\n', 1)[0]!, section }))
    .filter(({ title }) => title !== 'What is accepted for compatibility');

  it('are all there', () => {
    expect(sections.map(({ title }) => title)).toEqual([
      'Unknown fields are errors',
      'Validation is stricter',
      'A stored definition never changes',
      'A failed branch fails the run by default',
      'Cycles may compensate',
      'There are nine statuses',
      'Attempts count from 1',
      'Any 2xx is success by default',
      'The Content-Type follows the body',
      'Hopeless failures are not retried',
      'Compensations have a policy of their own',
      'Values keep their type in a JSON body',
      'Objects and lists render as JSON',
      'Values in URLs are percent-encoded',
      'A hole in a URL is not sent',
      'Every call says which operation it is',
      'One unknown attempt makes a visit unknown',
      'An async node that waits in vain is unknown',
      'The failure hook is called for CORRUPTED, too',
      'What is unknown is 404',
      'A repeated callback is 200',
      'The history has a row for each visit and phase',
      'Errors are one document',
      'It listens on loopback by default',
      'Keys in Redis have other names',
      'Metrics carry more labels, and others are gone',
    ]);
  });

  it('are all in the table at the top', () => {
    const anchor = (title: string): string =>
      title
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-');
    const [top = ''] = text.split(/^## /m);
    expect(sections.map(({ title }) => `(#${anchor(title)})`).filter((link) => !top.includes(link))).toEqual([]);
  });

  it('name every status', () => {
    const statuses = sections.find(({ title }) => title === 'There are nine statuses')?.section ?? '';
    expect(statusNames.filter((status) => !statuses.includes(`\`${status}\``))).toEqual([]);
  });

  it.each(sections)('say what was, what is, why, and what to do: $title', ({ section }) => {
    for (const word of ['Before', 'Now', 'Why', 'To migrate']) expect(section).toContain(`- **${word}**: `);
  });
});
