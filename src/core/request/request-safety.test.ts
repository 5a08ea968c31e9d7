import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RenderContext } from '../context/context.ts';
import type { Json, JsonObject } from '../value/json.ts';
import type { TemplateOptions } from '../template/template.ts';
import { renderRequest, renderStable } from './render.ts';
import { compileRequest } from './request.ts';

const options: TemplateOptions = { nodeIds: new Set(['pay']), allow: { callback: true, failure: false } };

function contextOf(payload: JsonObject): RenderContext {
  return {
    payload,
    labels: { host: 'label' },
    sagaId: 'e1',
    sagaName: 'order',
    sagaVersion: '3',
    stepName: 'pay',
    phase: 'UP',
    attempt: 1,
    round: 1,
    variable: (name) => (name === 'BASE' ? 'https://api.example.com/v1' : undefined),
    secret: () => undefined,
    node: () => undefined,
    completed: [],
  };
}

it('never throws, and sends nothing that is not safe', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'http://',
      'https://h',
      '/',
      '?',
      '#',
      '..',
      '@',
      ':',
      '\\',
      '%2e',
      'h',
      '{{payload.a}}',
      '{{{payload.a}}}',
    ),
    fc.constantFrom('{{vars.BASE}}', '{{#payload.b}}', '{{/payload.b}}', '{{.}}', '{{labels.host}}', '{{attempt}}'),
  );
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  const value = fc.oneof(
    fc.constantFrom<Json>(
      '..',
      '/..',
      '@evil',
      'evil',
      '://evil/',
      '.evil',
      'a\r\nb',
      '',
      null,
      '%2e%2e',
      '?',
      '#',
      'x:1',
      '\\..',
    ),
    fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
  );
  let rendered = 0;
  fc.assert(
    fc.property(text, text, value, value, (url, other, a, b) => {
      const json: Json = {
        verb: 'POST',
        url: `http://h/${url}`,
        headers: { 'X-A': other },
        body: { other, list: [other] },
      };
      for (const call of [json, { ...json, url }, { ...json, body: other }, other, { [other]: url }]) {
        const result = compileRequest(call, options);
        if ('errors' in result) {
          for (const { message } of result.errors) expect(message).toMatch(/^[A-Z"][^]*\.$/);
          continue;
        }
        const context = contextOf({ a, b });
        const request = renderRequest(result.request, context);
        if (request.kind === 'unsent') {
          expect(request.reason).toMatch(/^[A-Z"][^]*\.$/);
          continue;
        }
        rendered++;
        // A text that clients do not accept as a URL is not sent. For all others, clients must see the same host and
        // path.
        if (!URL.canParse(request.url)) continue;
        const seen = new URL(request.url);
        expect(seen.username + seen.password).toBe('');
        if (!request.authorityFromData) expect(seen.hostname).not.toContain('evil');
        const path = request.url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
        expect(seen.pathname.split('/').length).toBe(Math.max(2, path.split('/').length));
        expect(request.headers['X-A']).not.toMatch(/[\r\n\0]/);
        if (request.headers['Content-Type'] === 'application/json' && result.request.body?.json === true) {
          expect(() => JSON.parse(request.body ?? '') as unknown).not.toThrow();
        }
        expect(typeof renderStable(result.request, context, request)).toBe('string');
      }
    }),
    { numRuns: 1000 },
  );
  expect(rendered).toBeGreaterThan(50);
});
