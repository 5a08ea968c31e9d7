import { execFileSync } from 'node:child_process';
import { assert, dictionary, property, string, stringMatching } from 'fast-check';
import { expect, it } from 'vitest';
import { parseJson } from '../../../../src/core/value/json.ts';
import type { HistoryRow } from '../../api/executions.ts';
import { curlOf } from './curl.ts';

const row: HistoryRow = {
  callId: '1',
  nodeId: 'charge',
  stepIndex: 0,
  phase: 'UP',
  visit: 1,
  round: 1,
  attempt: 1,
  outcome: 'unknown',
  verb: 'POST',
  url: 'https://bank.example/charges',
  isRequestCut: false,
  isResponseCut: false,
};

/** The arguments that a shell hands to the program. */
function argumentsOf(command: string, env: Readonly<Record<string, string>> = {}): readonly string[] {
  const script = `curl() { for each in "$@"; do printf '%s\\0' "$each"; done; }\n${command}`;
  return execFileSync('sh', ['-c', script], { encoding: 'utf8', env }).split('\0').slice(0, -1);
}

it('hands every text to the program as it is, whatever a shell would make of it', () => {
  const harmless = string({ maxLength: 40 }).filter((text) => !text.includes('***') && !text.includes('\0'));
  const headers = dictionary(stringMatching(/^[a-z][a-z-]{0,10}$/), harmless, { maxKeys: 3 });
  assert(
    property(harmless, headers, harmless, (path, requestHeaders, body) => {
      const url = `https://bank.example/${path}`;
      const command = curlOf({ ...row, url, requestHeaders, requestBody: body });
      expect(argumentsOf(command)).toEqual([
        '-X',
        'POST',
        url,
        ...Object.entries(requestHeaders).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
        '--data-raw',
        body,
      ]);
    }),
    { numRuns: 60 },
  );
});

it('keeps the digits of numbers', () => {
  const requestBody = parseJson('{"account":12345678901234567890,"amount":10.10}');
  expect(curlOf({ ...row, requestBody })).toContain(`--data-raw '{"account":12345678901234567890,"amount":10.10}'`);
});

it('has a variable in place of each secret, which the shell fills in', () => {
  const requestHeaders = { authorization: 'Bearer ***', 'x-api-key': '***' };
  const command = curlOf({ ...row, requestHeaders, requestBody: { card: '***' } });
  expect(command).not.toContain('***');
  const env = { SECRET_AUTHORIZATION: "it's $1", SECRET_X_API_KEY: 'k', SECRET_CHARGE: '4711' };
  expect(argumentsOf(command, env)).toEqual([
    '-X',
    'POST',
    row.url,
    '-H',
    "authorization: Bearer it's $1",
    '-H',
    'x-api-key: k',
    '--data-raw',
    '{"card":"4711"}',
  ]);
});
