// Stops with one clear line when the Node that runs this is too old. Plain JavaScript, so that an old Node can run it.
// npm scripts normally find Node 24 through the `node` dev dependency, whose install script fetches the binary; this
// line is for installs that did not run it (`--ignore-scripts`, or an npm that blocks install scripts) and for tools
// that were started without npm.
import { existsSync } from 'node:fs';

const needed = [22, 19];
const [major, minor] = process.versions.node.split('.').map(Number);

/** @param {string} path relative to the checkout */
const isInstalled = (path) => existsSync(new URL(`../node_modules/${path}`, import.meta.url));

if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  let remedy = 'run `npm ci`, which brings Node 24 into this checkout';
  if (isInstalled('node/package.json')) remedy = 'run `npm rebuild node --ignore-scripts=false`, which fetches Node 24';
  if (isInstalled('node/bin/node')) remedy = 'start this through `npm run`, which finds Node 24 in this checkout';
  console.error(
    `Trama needs Node ${needed.join('.')} or newer, and this is Node ${process.versions.node}: ${remedy}` +
      ' (or install Node 24 on this machine).',
  );
  process.exit(1);
}
