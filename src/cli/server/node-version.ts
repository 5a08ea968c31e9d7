/** The oldest Node that Trama runs on; also in package.json as `engines`. */
const needed: readonly [major: number, minor: number] = [22, 19];

/** Why this version of Node cannot run Trama, in one line; undefined when it can. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > needed[0] || (major === needed[0] && minor >= needed[1])) return undefined;
  return `Trama needs Node ${needed.join('.')} or newer (Node 24 is best), and this is Node ${version}.`;
}
