import type { Command } from 'commander';
import { createOfflineServer } from '../../compose/offline-server.ts';
import type { Terminal } from '../terminal.ts';
import { packageVersion } from '../version.ts';

/** `trama openapi`: offline, the same document as the server's `/openapi.json`. */
export function defineOpenapi(command: Command, terminal: Terminal): void {
  command.action(async () => {
    const server = createOfflineServer(packageVersion());
    const { body } = await server.inject({ url: '/openapi.json', headers: { host: 'localhost' } });
    await server.close();
    terminal.outText(JSON.stringify(JSON.parse(body), null, 2));
  });
}
