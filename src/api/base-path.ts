import type { FastifyRequest } from 'fastify';

/** Takes a prefix off the path of a request; a path without it stays. */
export function withoutBase(basePath: string): (request: { readonly url?: string | undefined }) => string {
  return ({ url = '/' }) => {
    const rest = url.startsWith(basePath) ? url.slice(basePath.length) : undefined;
    if (rest === undefined || !/^(?:[/?]|$)/.test(rest)) return url;
    return rest.startsWith('/') ? rest : `/${rest}`;
  };
}

/** The prefix that the client used and the server took off; empty without one. Links in answers carry it. */
export function basePathOf({ originalUrl, url }: Pick<FastifyRequest, 'originalUrl' | 'url'>): string {
  return originalUrl.endsWith(url) ? originalUrl.slice(0, originalUrl.length - url.length) : '';
}
