/*
 * Makes what a release publishes, in the folder `release`: the tarballs of both packages, an SBOM of each (CycloneDX), and
 * the digests of these files. `--rehearsal` allows placeholders and a version without a heading in CHANGELOG.md.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { rehearsal: { type: "boolean", default: false } } });
const release = "release";

/** The part of an SBOM that is checked. */
interface Sbom {
  readonly components: readonly { readonly name: string }[];
}

function npm(folder: string, ...args: string[]): string {
  const done = spawnSync("npm", args, { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 26 });
  if (done.status !== 0) throw new Error(`npm ${args.join(" ")} failed:\n${done.stderr}`);
  return done.stdout;
}

function versionOf(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version;
}

/** The libraries that an install brings along, as npm lists them for the manifest without the tools of this repository. */
function sbomOf(name: string, folder: string): string {
  const place = mkdtempSync(join(tmpdir(), "holdfast-sbom-"));
  // npm takes the name of the component from the folder.
  const project = join(place, name);
  try {
    mkdirSync(project);
    const text = readFileSync(join(folder, "package.json"), "utf8");
    const { devDependencies: _, ...manifest } = JSON.parse(text) as Record<string, unknown>;
    writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
    npm(project, "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund");
    const sbom = npm(project, "sbom", "--package-lock-only", "--sbom-format=cyclonedx");
    const found = new Set((JSON.parse(sbom) as Sbom).components.map((component) => component.name));
    const missing = Object.keys(manifest["dependencies"] as object).filter((one) => !found.has(one));
    if (missing.length > 0) throw new Error(`the SBOM of ${name} lacks ${missing.join(", ")}`);
    return sbom;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

rmSync(release, { recursive: true, force: true });
mkdirSync(release);
npm(".", "run", "-s", "build:guard");
const version = versionOf(".");
if (versionOf("dist-guard") !== version) throw new Error("both packages must have one version");
for (const [name, folder] of [
  ["holdfast", "."],
  ["holdfast-guard", "dist-guard"],
] as const) {
  npm(".", "pack", folder === "." ? folder : `./${folder}`, "--pack-destination", release);
  writeFileSync(join(release, `${name}-${version}.cdx.json`), sbomOf(name, folder));
}
const sums = readdirSync(release).map(
  (file) =>
    `${createHash("sha256")
      .update(readFileSync(join(release, file)))
      .digest("hex")}  ${file}\n`,
);
writeFileSync(join(release, "SHA256SUMS"), sums.join(""));
console.log(`${release}/\n${sums.join("")}`);

const hasHeading = readFileSync("CHANGELOG.md", "utf8").includes(`\n## ${version}`);
if (!hasHeading) console.log(`CHANGELOG.md has no heading "## ${version}"`);
const check = ["scripts/release-placeholders.ts", ...(values.rehearsal ? [] : ["--release"])];
const { status } = spawnSync(process.execPath, check, { stdio: "inherit" });
if (status !== 0 || !(hasHeading || values.rehearsal)) process.exitCode = 1;
