import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { errorRegistry, type ErrorCode } from './error-registry.ts';

/**
 * A small page for people who open an API URL in a browser. All texts are plain; rendering escapes them. Pages contain
 * no script, and send no Referer, since their URL may contain a token.
 */
export interface Page {
  readonly title: string;
  readonly paragraphs: readonly string[];
  /** Fields of a form that posts to the URL of the page itself. */
  readonly form?: { readonly button: string; readonly fields: Readonly<Record<string, string>> };
  /** Links within this server. */
  readonly links?: readonly { readonly href: string; readonly text: string }[];
}

const style =
  'body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}' +
  'button{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:.3rem;color:#fff;background:#1f4fd8;cursor:pointer}' +
  'p{overflow-wrap:anywhere}' +
  '@media(prefers-color-scheme:dark){body{color:#eee;background:#151515}a{color:#8ab4ff}}';

const styleHash = createHash('sha256').update(style).digest('base64');

const policy = [
  "default-src 'none'",
  `style-src 'sha256-${styleHash}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Whether the client is a browser: its Accept header names HTML. */
export function wantsPage({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
  return /(?:^|[\s,])text\/html(?:[\s,;]|$)/i.test(headers.accept ?? '');
}

/** Returns the body of a page for the handler to return, and sets status and headers. */
export function pageBody(reply: FastifyReply, page: Page, status = 200): string {
  reply
    .code(status)
    .type('text/html; charset=utf-8')
    .header('content-security-policy', policy)
    .header('referrer-policy', 'no-referrer')
    .header('x-robots-tag', 'noindex, nofollow');
  return htmlOf(page);
}

/** Like {@link pageBody}, for an error. */
export function errorPageBody(reply: FastifyReply, code: ErrorCode, errors: readonly string[]): string {
  const { status, retryable } = errorRegistry[code];
  if (retryable && (status === 429 || status === 503)) reply.header('retry-after', '1');
  const paragraphs = reply.server.masked(errors.length === 0 ? [errorRegistry[code].meaning] : errors);
  return pageBody(reply, { title: errorTitles[code] ?? 'This did not work', paragraphs }, status);
}

const errorTitles: Readonly<Partial<Record<ErrorCode, string>>> = {
  method_not_allowed: 'Nothing to see here',
  callback_not_waiting: 'No answer is awaited any more',
  callback_other_body: 'This was answered before',
  callback_earlier_operation: 'This link is no longer valid',
  callback_signature: 'This link is not valid',
  callback_malformed: 'This link is not valid',
  unknown_execution: 'This link is no longer valid',
};

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => entities[char] ?? char);
}

function htmlOf({ title, paragraphs, form, links = [] }: Page): string {
  const lines = [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">',
    `<title>${escapeHtml(title)}</title>`,
    `<style>${style}</style>`,
    '</head>',
    '<body>',
    '<main>',
    `<h1>${escapeHtml(title)}</h1>`,
    ...paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`),
  ];
  if (form !== undefined) {
    // Without an action, the form posts to the page's own URL, which then need not be part of the page.
    lines.push('<form method="post" enctype="application/x-www-form-urlencoded">');
    for (const [name, value] of Object.entries(form.fields)) {
      lines.push(`<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`);
    }
    lines.push(`<button type="submit">${escapeHtml(form.button)}</button>`, '</form>');
  }
  if (links.length > 0) {
    lines.push(
      '<ul>',
      ...links.map(({ href, text }) => `<li><a href="${escapeHtml(href)}">${escapeHtml(text)}</a></li>`),
    );
    lines.push('</ul>');
  }
  lines.push('</main>', '</body>', '</html>', '');
  return lines.join('\n');
}
