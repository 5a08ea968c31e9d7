/**
 * Everything that must hold before a commit, one step after the other; stops at the first step that fails and shows its
 * output. A step that holds is one line.
 */
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

/** Scripts of package.json, cheap ones first. */
const steps = ['typecheck', 'lint', 'format:check', 'dead', 'dup', 'test:quick'] as const;

function run(script: string): Promise<{ readonly code: number; readonly output: string }> {
  const child = spawn('npm', ['run', '--silent', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }));
  });
}

for (const step of steps) {
  const startedAt = performance.now();
  const { code, output } = await run(step);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (code !== 0) {
    console.error(output.trimEnd());
    console.error(`✗ ${step} (${seconds} s); again with: npm run ${step}`);
    process.exit(code);
  }
  console.log(`✓ ${step} (${seconds} s)`);
}
