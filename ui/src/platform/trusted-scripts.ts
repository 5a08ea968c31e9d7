import { assetsUrl } from './address.ts';

/** The parts of the Trusted Types API that are used; TypeScript's library has none of it. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL: (url: string) => string };
}

function checked(url: string): string {
  if (!new URL(url, document.baseURI).href.startsWith(assetsUrl.href)) {
    throw new TypeError(`The script ${url} is not a file of the UI.`);
  }
  return url;
}

const api = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
const policy = api?.createPolicy('trama', { createScriptURL: checked }) ?? { createScriptURL: checked };

/**
 * Starts a worker from a file of the UI's own assets. The page's policy refuses any other script.
 *
 * @throws TypeError if the address is not in the folder of assets.
 */
export function startWorker(url: string): Worker {
  return new Worker(policy.createScriptURL(url), { type: 'module' });
}
