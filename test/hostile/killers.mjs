/**
 * Preloaded into a server (`node --import`): the process is killed, without a word, as soon as it does a certain thing for a certain
 * execution, as an engine does that loops or eats all memory over it. `KILLERS` names the execution of each place, as JSON.
 */
/** Loads a module of the program that this process runs: the compiled one, or the sources. */
function ofProgram(path) {
  const isBuilt = process.argv[1].endsWith('.js');
  return import(new URL(isBuilt ? `../../dist/${path}.js` : `../../src/${path}.ts`, import.meta.url).href);
}

const { Draft } = await ofProgram('core/draft');
const { CallRunner } = await ofProgram('engine/call/call-runner');
const { SqliteStore } = await ofProgram('store/sqlite/sqlite-store');

const { load, read, render, apply, checkpoint } = JSON.parse(process.env['KILLERS'] ?? '{}');

function fall() {
  process.kill(process.pid, 'SIGKILL');
  // The signal comes at once, but not within this very statement.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
}

/** Calls `look` with the object and its arguments before each call of the method. */
function before(prototype, name, look) {
  const real = prototype[name];
  prototype[name] = function (...args) {
    look(this, args);
    return real.apply(this, args);
  };
}

// oxlint-disable-next-line typescript/unbound-method -- it is called with the store
const { takeOver } = SqliteStore.prototype;
SqliteStore.prototype.takeOver = async function (...args) {
  const loaded = await takeOver.apply(this, args);
  for (const execution of loaded) {
    if (execution.id !== load) continue;
    // Whatever of it is looked at beyond its row.
    for (const part of ['payload', 'labels', 'inbox']) Object.defineProperty(execution, part, { get: fall });
  }
  return loaded;
};
before(SqliteStore.prototype, 'readOutputs', (_store, [id]) => {
  if (id === read) fall();
});
before(CallRunner.prototype, 'prepare', (_runner, [run]) => {
  if (run.header.id === render) fall();
});
before(Draft.prototype, 'done', ({ header }) => {
  if (header.id === apply) fall();
});
before(SqliteStore.prototype, 'checkpoint', (_store, [batch]) => {
  if (batch.some(({ id, state }) => id === checkpoint && state.end?.reason !== 'engine')) fall();
});
