/** All commands: their entries in the help, and the loader of each. */
import type { Command } from 'commander';
import type { Terminal } from './terminal.ts';

/** Adds options, arguments and the action to a command. The action may throw `CliProblem`. */
export type DefineCommand = (command: Command, terminal: Terminal) => void;

/** One command of the table. */
export interface CommandEntry {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  readonly load: () => Promise<DefineCommand>;
}

/** In the order of the help. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'run the server',
    load: async () => (await import('./commands/serve.ts')).defineServe,
  },
  {
    name: 'demo',
    summary: 'start a server and sample services, run sagas, show what happened',
    load: async () => (await import('./commands/demo.ts')).defineDemo,
  },
  {
    name: 'run',
    summary: 'run a saga from a file, here or on a server, and show the result',
    load: async () => (await import('./commands/run.ts')).defineRun,
  },
  {
    name: 'validate',
    summary: 'check definitions and list every problem, offline',
    load: async () => (await import('./commands/validate.ts')).defineValidate,
  },
  {
    name: 'simulate',
    summary: 'play scenarios of a definition offline, in virtual time',
    load: async () => (await import('./commands/simulate.ts')).defineSimulate,
  },
  {
    name: 'mock',
    summary: 'serve the calls of a definition, as a mock of its downstreams',
    load: async () => (await import('./commands/mock.ts')).defineMock,
  },
  {
    name: 'push',
    summary: 'store a definition on a server',
    load: async () => (await import('./commands/push.ts')).definePush,
  },
  {
    name: 'import-definitions',
    summary: 'copy the definitions of another Trama to a server',
    load: async () => (await import('./commands/import-definitions.ts')).defineImportDefinitions,
  },
  {
    name: 'ls',
    summary: 'list the runs of a server',
    load: async () => (await import('./commands/ls.ts')).defineLs,
  },
  {
    name: 'top',
    summary: 'count runs by status, definition, reason, node and host',
    load: async () => (await import('./commands/top.ts')).defineTop,
  },
  {
    name: 'show',
    summary: 'show a run: its state, why it waits, its standing effects',
    load: async () => (await import('./commands/show.ts')).defineShow,
  },
  {
    name: 'retry',
    summary: 'retry failed runs, by ids or all that match',
    load: async () => (await import('./commands/change.ts')).defineRetry,
  },
  {
    name: 'cancel',
    summary: 'compensate and end runs, by ids or all that match',
    load: async () => (await import('./commands/change.ts')).defineCancel,
  },
  {
    name: 'terminate',
    summary: 'end runs at once without compensation, by ids or all that match',
    load: async () => (await import('./commands/change.ts')).defineTerminate,
  },
  {
    name: 'wake',
    summary: 'end sleeps early, by ids or all that match',
    load: async () => (await import('./commands/change.ts')).defineWake,
  },
  {
    name: 'undo',
    summary: 'compensate runs that have succeeded, by ids or all that match',
    load: async () => (await import('./commands/change.ts')).defineUndo,
  },
  {
    name: 'resolve',
    summary: 'settle by hand a compensation or a node that waits',
    load: async () => (await import('./commands/resolve.ts')).defineResolve,
  },
  {
    name: 'hook',
    summary: 'call undelivered hooks again, by ids or all that match',
    load: async () => (await import('./commands/hook.ts')).defineHook,
  },
  {
    name: 'hold',
    summary: 'make calls to a host, or of a definition, wait',
    load: async () => (await import('./commands/hold.ts')).defineHold,
  },
  {
    name: 'audit',
    summary: 'show the audit log of a run, or of everything',
    load: async () => (await import('./commands/audit.ts')).defineAudit,
  },
  {
    name: 'keys',
    summary: 'create API keys',
    load: async () => (await import('./commands/keys.ts')).defineKeys,
  },
  {
    name: 'migrate',
    summary: 'bring the store up to date',
    load: async () => (await import('./commands/migrate.ts')).defineMigrate,
  },
  {
    name: 'promote',
    summary: 'move everything from a data directory to Postgres',
    load: async () => (await import('./commands/promote.ts')).definePromote,
  },
  {
    name: 'config',
    summary: 'show the configuration in force, and where each value comes from',
    load: async () => (await import('./commands/config.ts')).defineConfig,
  },
  {
    name: 'openapi',
    summary: 'print the OpenAPI document of the HTTP API',
    load: async () => (await import('./commands/openapi.ts')).defineOpenapi,
  },
  {
    name: 'schema',
    summary: 'print the JSON Schema of definitions',
    load: async () => (await import('./commands/schema.ts')).defineSchema,
  },
  {
    name: 'completion',
    summary: 'print a script that completes commands and options in a shell',
    load: async () => {
      const { defineCompletion } = await import('./commands/completion.ts');
      return (command, terminal) => {
        defineCompletion(command, terminal, commands);
      };
    },
  },
  {
    name: 'version',
    summary: 'print the version',
    load: async () => (await import('./commands/version.ts')).defineVersion,
  },
];
