/** The Helm chart, rendered: what would be sent to Kubernetes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { GoTemplates } from './go-template.ts';
import { root } from './source-files.ts';

/** Where the chart is. */
export const chartFolder: string = join(root, 'deploy/helm/trama');

/** Values of the chart, or of whatever replaces some of them. */
export type Values = Record<string, unknown>;

/** One Kubernetes object. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: Record<string, unknown>;
  readonly data?: Readonly<Record<string, string>>;
}

const read = (path: string): string => readFileSync(join(chartFolder, path), 'utf8');

/** The values as they are shipped; a copy of its own each time. */
export function defaultValues(): Values {
  return parse(read('values.yaml')) as Values;
}

/** Replaces values at dotted paths, which must exist. */
export function valuesWith(changes: Readonly<Record<string, unknown>>): Values {
  const values = defaultValues();
  for (const [path, value] of Object.entries(changes)) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    let at = values;
    for (const name of names) at = at[name] as Values;
    if (!(last in at)) throw new Error(`values.yaml has no ${path}.`);
    at[last] = value;
  }
  return values;
}

/** Names of the template files, helpers and notes included. */
export function templateFiles(): readonly string[] {
  return readdirSync(join(chartFolder, 'templates')).toSorted();
}

/** Every template rendered with these values, by its name. @throws Error naming what does not exist. */
export function renderTexts(values: Values): ReadonlyMap<string, string> {
  const templates = new GoTemplates();
  for (const name of templateFiles()) templates.add(name, read(`templates/${name}`));
  const chart = parse(read('Chart.yaml')) as { name: string; version: string; appVersion: string };
  const context = {
    Values: values,
    Chart: { Name: chart.name, Version: chart.version, AppVersion: chart.appVersion },
    Release: { Name: 'sample', Namespace: 'flows', Service: 'Helm' },
    Files: { Get: (path: string) => read(path) },
  };
  const texts = templateFiles()
    .filter((name) => !name.startsWith('_'))
    .map((name) => [name, templates.render(name, context)] as const);
  return new Map(texts);
}

/** Every object of the chart. @throws Error when one is no YAML. */
export function renderManifests(values: Values): readonly Manifest[] {
  return [...renderTexts(values)]
    .filter(([name]) => name.endsWith('.yaml'))
    .flatMap(([name, text]) =>
      parseAllDocuments(text).flatMap((document): Manifest[] => {
        if (document.errors.length > 0) throw new Error(`${name}: ${String(document.errors[0])}\n${text}`);
        const manifest: unknown = document.toJS();
        return manifest === null ? [] : [manifest as Manifest];
      }),
    );
}
