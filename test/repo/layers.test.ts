import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importsOf, repositoryFiles, shippedSources } from './source-files.ts';

const adapters = ['store', 'queue', 'http-caller', 'telemetry'];

/**
 * Which layers a layer may import besides itself. Dependencies point one way:
 * core ← ports ← engine ← app ← api ← compose ← cli; adapters know core and ports, and only compose knows adapters.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  core: [],
  // What bodies of messages are written in: both ends of HTTP read them alike.
  content: [],
  ports: ['core'],
  engine: ['core', 'ports'],
  // The use cases behind API and command line.
  app: ['core', 'ports', 'content', 'engine'],
  config: ['core', 'ports'],
  security: ['core', 'ports'],
  ...Object.fromEntries(adapters.map((name) => [name, ['core', 'ports']])),
  'http-caller': ['core', 'ports', 'content'],
  api: ['core', 'ports', 'content', 'engine', 'app', 'security'],
  compose: ['core', 'ports', 'engine', 'app', 'api', 'config', 'security', ...adapters],
  // Pure like the core, and without a server.
  scenario: ['core'],
  demo: ['core', 'config', 'compose'],
  cli: ['core', 'ports', 'engine', 'app', 'api', 'config', 'security', 'compose', 'scenario', 'demo'],
};

/** `src/store/sqlite/open.ts` is in layer `store`, variant `sqlite`. */
function placeOf(path: string): { layer: string; variant: string | undefined } {
  const [, first = '', second = '', ...rest] = path.split('/');
  return { layer: first.replace(/\.ts$/, ''), variant: rest.length > 0 ? second : undefined };
}

function isAllowed(from: string, to: string): boolean {
  const source = placeOf(from);
  const target = placeOf(to);
  if (source.layer !== target.layer) {
    const layers = allowed[source.layer] ?? [];
    return layers.includes(target.layer) || layers.includes(`${target.layer}/${target.variant ?? ''}`);
  }
  // Adapters of one port never know each other; what they share lies beside them.
  const areSiblings = source.variant !== undefined && target.variant !== undefined && source.variant !== target.variant;
  return !(adapters.includes(source.layer) && areSiblings);
}

const sources = shippedSources();

describe('layers', () => {
  it('places every source file in a known layer', () => {
    expect(sources.map((file) => file.path).filter((path) => !(placeOf(path).layer in allowed))).toEqual([]);
  });

  it('imports only in the allowed direction', () => {
    const imports = sources.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => ({ from: file.path, to: posix.join(posix.dirname(file.path), specifier) })),
    );
    expect(imports.length).toBeGreaterThan(0);
    expect(imports.filter(({ from, to }) => !isAllowed(from, to)).map(({ from, to }) => `${from} -> ${to}`)).toEqual(
      [],
    );
  });

  it('keeps the web UI to the public API and the core', () => {
    const files = repositoryFiles('ui/src/*.ts', 'ui/src/*.tsx');
    const imports = files.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => posix.join(posix.dirname(file.path), specifier)),
    );
    expect(imports.length).toBeGreaterThan(100);
    expect(imports.filter((path) => !path.startsWith('ui/src/') && !path.startsWith('src/core/'))).toEqual([]);
  });

  it('keeps the core free of packages and of Node', () => {
    const foreign = sources
      .filter((file) => file.path.startsWith('src/core/'))
      .flatMap((file) => importsOf(file).map((specifier) => ({ path: file.path, specifier })))
      .filter(({ specifier }) => !specifier.startsWith('.'))
      .filter(
        ({ path, specifier }) =>
          !(path.startsWith('src/core/expression/') && ['decimal.js', 'json-logic-engine', 'uuid'].includes(specifier)),
      );
    expect(foreign).toEqual([]);
  });

  it.each([
    ['src/core/a.ts', 'src/ports/clock.ts'],
    ['src/engine/worker.ts', 'src/store/sqlite/open.ts'],
    ['src/engine/worker.ts', 'src/app/start.ts'],
    ['src/store/sqlite/open.ts', 'src/store/postgres/open.ts'],
    ['src/queue/memory/queue.ts', 'src/store/memory/store.ts'],
    ['src/cli/serve.ts', 'src/store/sqlite/open.ts'],
    ['src/api/server.ts', 'simulator/virtual-clock.ts'],
    ['src/scenario/simulate.ts', 'src/engine/engine.ts'],
    ['src/api/server.ts', 'src/demo/demo.ts'],
  ])('would refuse %s importing %s', (from, to) => {
    expect(isAllowed(from, to)).toBe(false);
  });

  it.each([
    ['src/core/transition/started.ts', 'src/core/state.ts'],
    ['src/store/sqlite/open.ts', 'src/store/rows.ts'],
    ['src/compose/backends.ts', 'src/store/sqlite/open.ts'],
    ['src/cli/serve.ts', 'src/compose/lifecycle.ts'],
    ['src/scenario/simulate.ts', 'src/core/apply.ts'],
    ['src/demo/demo.ts', 'src/compose/lifecycle.ts'],
  ])('would accept %s importing %s', (from, to) => {
    expect(isAllowed(from, to)).toBe(true);
  });
});
