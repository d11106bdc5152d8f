/** The npm package with the binary of a version of Node for this machine, as `npx -p` takes it. */
export function nodePackage(version: string): string {
  const platform = process.platform === "win32" ? "win" : process.platform;
  return `node-${platform}-${process.arch}@${version}`;
}
