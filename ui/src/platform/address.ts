/**
 * Where the UI is, found from the address of its own script: `…/ui/assets/main-<hash>.js`. A proxy may put any prefix in
 * front; no setting and no absolute path is needed.
 */

/** Folder of the scripts, the only place from which workers are started. */
export const assetsUrl: URL = new URL(/* @vite-ignore */ './', import.meta.url);

/** The address of `/ui/`. */
export const uiUrl: URL = new URL('../', assetsUrl);

/** The address below which the API answers. */
const apiUrl = new URL('../', uiUrl);

/** The address of a route of the API; `path` begins with a slash. Parameters with several values are repeated. */
export function apiAddress(path: string, parameters: Parameters = {}): string {
  const url = new URL(`.${path}`, apiUrl);
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? (value as readonly string[]) : [value]) {
      if (each !== undefined && each !== '') url.searchParams.append(name, String(each));
    }
  }
  return url.href;
}

/** Query parameters; what is undefined or empty is left out. */
export type Parameters = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** A prefix for names in the browser's storage: two installations under one host keep apart. */
export const storagePrefix: string = `trama:${uiUrl.pathname}:`;
