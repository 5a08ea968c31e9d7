/** Runs a server in this process, on a temporary data directory, for commands that need one for a while. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTrama } from '../../compose/lifecycle.ts';
import { loadConfig, type ConfigInput } from '../../config/load.ts';
import { guard } from './last-resort.ts';
import { configProblems } from './settings.ts';
import { CliProblem, exitCodes, type Terminal } from '../terminal.ts';
import { packageVersion } from '../version.ts';

/** The differences between the commands. */
export interface EmbeddedOptions {
  /** A part of the directory's name. */
  readonly purpose: string;
  /** Whether the server's log goes to standard error. */
  readonly isVerbose: boolean;
  /** Whether trama.yaml and the environment count. If not, the server is the same wherever it starts. */
  readonly isConfigured: boolean;
  /** Further keys of the configuration; they win. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running server. */
export interface EmbeddedServer {
  readonly url: string;
  /** From now on a stop does not wait for calls in flight. */
  hurry(): void;
  /** Stops in order and removes the directory. */
  stop(): Promise<void>;
}

/**
 * Starts a server on a free loopback port.
 *
 * @throws CliProblem when the configuration is bad or the start fails; nothing is left behind then.
 */
export async function startEmbedded(options: EmbeddedOptions, terminal: Terminal): Promise<EmbeddedServer> {
  const directory = await mkdtemp(join(tmpdir(), `trama-${options.purpose}-`));
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  const loaded = loadConfig(inputOf(options, directory, terminal));
  if (!loaded.ok) {
    await remove();
    throw new CliProblem(configProblems(loaded.problems), exitCodes.found);
  }
  // Standard output belongs to the command's result.
  const trama = await createTrama(loaded.config, { env: terminal.env, version: packageVersion(), logTo: 2 });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= trama.stop().then(remove));
  const hurry = (): void => {
    trama.hurry();
  };
  const lastWords = (error: unknown): string | undefined => trama.lastWords(error);
  const unguard = guard({ lastWords, hurry, stop }, terminal);
  try {
    await trama.start();
  } catch (error) {
    await stop();
    unguard();
    const why = error instanceof Error ? error.message : String(error);
    throw new CliProblem(`The embedded server cannot start: ${why}`, exitCodes.found);
  }
  return {
    url: trama.url,
    hurry,
    stop: async () => {
      await stop();
      unguard();
    },
  };
}

function inputOf(
  { isVerbose, isConfigured, settings }: EmbeddedOptions,
  directory: string,
  { env }: Terminal,
): ConfigInput {
  const forced: Readonly<Record<string, string>> = {
    'server.host': '127.0.0.1',
    'server.port': '0',
    'database.driver': 'EMBEDDED',
    'database.dataDir': directory,
    'redis.topology': 'NONE',
    'runtime.enabled': 'true',
    'maintenance.enabled': 'false',
    // Only this machine reaches the server, while one command runs, and no client has a key for it.
    'security.auth.enabled': 'false',
    'server.allowedHosts': 'localhost,127.0.0.1,[::1]',
    'server.api': 'true',
    ...(isConfigured && { 'metrics.enabled': 'false' }),
    ...(isVerbose ? {} : { 'logging.level': 'silent' }),
    ...settings,
  };
  const flags = Object.entries(forced).map(([path, value]) => ({ path, value, flag: path }));
  return isConfigured ? { env, flags } : { env: {}, flags, fileText: { text: '', name: 'nothing' } };
}
