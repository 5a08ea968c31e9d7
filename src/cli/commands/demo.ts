import { join, relative } from 'node:path';
import type { Command } from 'commander';
import { createApiClient, textField, type PagingClient } from '../api-client.ts';
import { play, type Played } from '../demo/play.ts';
import { SampleServices } from '../demo/services.ts';
import { stories, type Story } from '../demo/stories.ts';
import { readDocumentFile } from '../documents/document-file.ts';
import { startEmbedded, type EmbeddedServer } from '../server/embedded-server.ts';
import { untilStopped, type StopSignals } from '../server/signals.ts';
import { standingLines, statusLine, timeline } from '../view/timeline.ts';
import { exitCodes, type Terminal } from '../terminal.ts';

interface DemoOptions {
  readonly keep?: true;
  readonly verbose?: true;
}

const sagas = join(import.meta.dirname, '../demo/sagas');
const sagasShown = relative('.', sagas);

/**
 * `trama demo`: starts a server and sample services, runs some sagas, then ends or waits for people to try their own.
 */
export function defineDemo(command: Command, terminal: Terminal): void {
  command
    .option('--keep', 'leave the server and the services running until Ctrl-C')
    .option('--verbose', 'show the log of the server')
    .addHelpText(
      'after',
      `
Needs no setup: the server keeps its data in a temporary directory, and ignores trama.yaml and the environment.
Exit codes: 0 every saga ended as expected, 1 one did not, or the demo was interrupted.`,
    )
    .action(async (options: DemoOptions) => {
      const began = performance.now();
      const services = new SampleServices();
      // Listens before anything starts: a signal must not leave a directory behind.
      const signals = untilStopped(() => undefined);
      let server: EmbeddedServer | undefined;
      try {
        const servicesUrl = await services.listen(0);
        server = await startEmbedded(
          {
            purpose: 'demo',
            isVerbose: options.verbose === true,
            isConfigured: false,
            settings: { vars: JSON.stringify({ SERVICES: servicesUrl }) },
          },
          terminal,
        );
        const ready = Math.round(performance.now() - began);
        terminal.out(`Trama is ready at ${server.url} after ${String(ready)} ms; sample services at ${servicesUrl}`);
        const { good, lastId } = await playAll(createApiClient(server.url), services, signals, terminal);
        const seconds = ((performance.now() - began) / 1000).toFixed(1);
        terminal.outText(`\n${String(good)} of ${String(stories.length)} sagas ended as expected, in ${seconds} s.\n`);
        if (good < stories.length) terminal.exitCode = exitCodes.found;
        if (options.keep === true) await keep(server.url, servicesUrl, lastId, signals, terminal);
        else for (const line of farewell(terminal)) terminal.out(line);
      } finally {
        server?.hurry();
        await server?.stop();
        await services.close();
        signals.forget();
      }
    });
}

/** Runs the stories one after the other, so that each can be read by itself. */
async function playAll(
  api: PagingClient,
  services: SampleServices,
  signals: StopSignals,
  terminal: Terminal,
): Promise<{ readonly good: number; readonly lastId: string }> {
  let isStopped = false;
  void signals.stopped.then(() => (isStopped = true));
  for (const name of new Set(stories.map(({ definition }) => definition)))
    await api.ask('POST', '/workflows/definitions', readDocumentFile(join(sagas, `${name}.json`)));
  let good = 0;
  let lastId = '';
  for (const [index, story] of stories.entries()) {
    if (isStopped) break;
    const played = await play(story, api, services, () => isStopped);
    if (played.differences.length === 0) good++;
    lastId = textField(played.document, 'id') ?? '';
    for (const line of chapter(index + 1, story, played)) terminal.show(line);
  }
  return { good, lastId };
}

function chapter(number: number, story: Story, played: Played): readonly string[] {
  const { document, history, standing, differences } = played;
  return [
    '',
    `${String(number)}. ${story.title}`,
    `   ${story.meaning}`,
    '',
    ...timeline(history),
    '',
    `   ${statusLine(document)}`,
    `   the services hold: ${standing.length === 0 ? 'nothing' : standing.join(', ')}`,
    ...standingLines(document).map((line) => `   ${line}`),
    ...differences.map((line) => `   UNEXPECTED: ${line}`),
  ];
}

/** How people call the command line here. */
function calls(terminal: Terminal): { readonly demo: string; readonly trama: string; readonly serve: string } {
  const isCheckout = terminal.env['npm_lifecycle_event'] === 'demo';
  if (isCheckout) return { demo: 'npm run demo -- --keep', trama: 'npm run trama --', serve: 'npm start' };
  return { demo: 'trama demo --keep', trama: 'trama', serve: 'trama serve' };
}

function farewell(terminal: Terminal): readonly string[] {
  const { demo, trama, serve } = calls(terminal);
  return [
    'How to go on:',
    `  ${demo}   leaves all of this running, with calls to try`,
    `  ${serve}   serves the API at http://127.0.0.1:8080, with its data in ./trama-data; then for instance`,
    `    curl -s 'http://127.0.0.1:8080/workflows?limit=5'`,
    `  ${trama} help   lists the other commands`,
    `  The sagas of the demo are in ${sagasShown}`,
  ];
}

async function keep(
  url: string,
  servicesUrl: string,
  id: string,
  { stopped }: StopSignals,
  terminal: Terminal,
): Promise<void> {
  const { trama } = calls(terminal);
  const order = { order: 'B-1', item: 'lamp', amount: 20, card: 'good', address: 'nowhere' };
  const lines = [
    `Trama's API: ${url} (described in ${url}/openapi.json)`,
    `The sample services: ${servicesUrl}; they take PUT and DELETE /<service>/<id>`,
    `The sagas: ${sagasShown}`,
    '',
    'Look at the runs, at the last one, at its steps, and at what the services hold:',
    `  curl -s '${url}/workflows?limit=5'`,
    `  curl -s ${url}/workflows/${id}`,
    `  curl -s ${url}/workflows/${id}/steps`,
    `  curl -s ${servicesUrl}/`,
    '',
    'Start one and wait for its end:',
    `  curl -s '${url}/workflows/definitions/order/1/run?waitMillis=10000' \\`,
    `    -H 'content-type: application/json' -d '${JSON.stringify({ payload: order })}'`,
    '',
    'Run a definition of your own (in its URLs {{vars.SERVICES}} stands for the sample services):',
    `  ${trama} run my-saga.json --url ${url} --wait`,
    '',
    'Ctrl-C stops it.',
  ];
  for (const line of lines) terminal.out(line);
  await stopped;
}
