/** The queries of Prometheus that the documents show: one a line, a comment behind it. */
import { documentedBlocks } from './documented-blocks.ts';

export const documentedQueries: readonly { readonly place: string; readonly query: string }[] = [
  ...documentedBlocks.values(),
]
  .flat()
  .filter(({ language }) => language === 'promql')
  .flatMap(({ place, text }) =>
    text
      .split('\n')
      .map((line) => line.replace(/\s*#.*$/, ''))
      .filter((line) => line !== '')
      .map((query) => ({ place, query })),
  );
