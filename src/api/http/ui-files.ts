import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';

/** The page of the web UI, which every address below `/ui/` without a file of its own answers. */
const pageName = 'index.html';

/** Folder of the files whose names hold a hash of their content. */
const assetsFolder = 'assets/';

/** Content codings that the build prepares, the smallest first, and the endings of their files. */
const codings = [
  { name: 'br', ending: '.br' },
  { name: 'gzip', ending: '.gz' },
] as const;

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The content coding of an answer. */
type Coding = (typeof codings)[number]['name'];

/** One answer with a file of the UI. */
export interface UiAnswer {
  readonly body: Buffer | string;
  readonly contentType: string;
  readonly coding?: Coding;
  /** Whether the name holds a hash of the content, so that a browser may keep the file for good. */
  readonly isImmutable: boolean;
}

/**
 * The built files of the web UI. The list is read once, when the server is built; contents are read for each request,
 * because a browser keeps every file but the page. Only listed files are served, so that no path can leave the folder.
 */
export class UiFiles {
  readonly #folder: string;
  readonly #names: ReadonlySet<string>;
  #page: Promise<string> | undefined;

  private constructor(folder: string, names: ReadonlySet<string>) {
    this.#folder = folder;
    this.#names = names;
  }

  /** Lists a folder; undefined if it holds no page, as in a checkout that was not built. */
  static within(folder: string): UiFiles | undefined {
    let names: Set<string>;
    try {
      const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      names = new Set(
        entries.map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/')),
      );
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return names.has(pageName) ? new UiFiles(folder, names) : undefined;
  }

  /**
   * What a path below `/ui/` answers: the file of that name, in the best coding that the client accepts, or else the page.
   * Undefined for an unknown file of the folder of assets: a browser must not take the page for a script.
   */
  async answerOf(path: string, acceptedCodings: string): Promise<UiAnswer | undefined> {
    if (path !== pageName && this.#names.has(path) && !path.startsWith('.')) return this.#file(path, acceptedCodings);
    if (path.startsWith(assetsFolder)) return undefined;
    const body = pageAtDepth(await this.#readPage(), path.split('/').length - 1);
    return { body, contentType: typeOf(pageName), isImmutable: false };
  }

  async #file(path: string, acceptedCodings: string): Promise<UiAnswer> {
    const coding = codings.find(({ name, ending }) => accepts(acceptedCodings, name) && this.#names.has(path + ending));
    const body = await readFile(join(this.#folder, path + (coding?.ending ?? '')));
    const isImmutable = path.startsWith(assetsFolder);
    return { body, contentType: typeOf(path), isImmutable, ...(coding && { coding: coding.name }) };
  }

  #readPage(): Promise<string> {
    this.#page ??= readFile(join(this.#folder, pageName), 'utf8');
    return this.#page;
  }
}

/**
 * The page for an address so many folders below `/ui/`. Its links are relative, and a proxy in front may add any prefix:
 * only the depth below `/ui/` is the same for the browser and for this server.
 */
function pageAtDepth(page: string, depth: number): string {
  return page.replaceAll('"./', `"${'../'.repeat(depth) || './'}`);
}

/** Whether a header Accept-Encoding names a coding and does not refuse it. */
function accepts(header: string, coding: string): boolean {
  return header.split(',').some((part) => {
    const [name = '', ...parameters] = part.split(';');
    return name.trim().toLowerCase() === coding && !parameters.some((each) => /^\s*q=0(?:\.0*)?\s*$/i.test(each));
  });
}

function typeOf(path: string): string {
  return contentTypes[extname(path)] ?? 'application/octet-stream';
}
