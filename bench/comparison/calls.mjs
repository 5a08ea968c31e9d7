/**
 * The three calls of the chain, as the engines under comparison make them: bodies as those that Trama renders, through the
 * HTTP client that Trama has. The mock's URL is in MOCK_URL.
 */
import { Pool } from 'undici';

const pool = new Pool(process.env['MOCK_URL'] ?? '', { connections: 512, pipelining: 1 });

/**
 * One call; the answer's body. `workflowId` tells the mock whose it is.
 *
 * @param {{ order: string, customer: string, amount: number }} payload
 * @param {1 | 2 | 3} n
 * @param {string} previous the reference that the call before was answered with
 * @param {string} workflowId
 * @returns {Promise<{ reference: string }>}
 */
export async function call(payload, n, previous, workflowId) {
  const response = await pool.request({
    method: 'POST',
    path: `/${String(n)}`,
    headers: { 'content-type': 'application/json', 'workflow-id': workflowId },
    body: JSON.stringify({
      order: payload.order,
      customer: payload.customer,
      amount: payload.amount,
      note: 'a line of text that makes the body about two hundred bytes long in all',
      previous,
    }),
  });
  const text = await response.body.text();
  if (response.statusCode !== 200) throw new Error(`Call ${String(n)} was answered ${String(response.statusCode)}.`);
  return JSON.parse(text);
}
