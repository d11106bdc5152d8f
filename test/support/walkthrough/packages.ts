import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { PackedPackages } from "../packed-packages.ts";

/**
 * Makes a folder for the front of a reader's PATH. Its `npm` installs the packed tarballs in place of the names of the
 * packages. Returns the folder.
 */
export function createNpmFolder(packages: PackedPackages): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-npm-"));
  const npm = (process.env["PATH"] ?? "").split(delimiter).find((path) => existsSync(join(path, "npm")));
  const cases = Object.entries(packages).map(
    ([name, { tarball }]) => `    ${name}) args+=("file:${tarball}") ;;`,
  );
  const script = [
    "#!/usr/bin/env bash",
    "args=()",
    'for arg in "$@"; do',
    '  case "$arg" in',
    ...cases,
    '    *) args+=("$arg") ;;',
    "  esac",
    "done",
    "export npm_config_prefer_offline=true npm_config_audit=false npm_config_fund=false",
    `exec "${join(npm ?? "", "npm")}" "\${args[@]}"`,
    "",
  ];
  writeFileSync(join(folder, "npm"), script.join("\n"), { mode: 0o755 });
  // In a terminal curl shows no meter. It reads this file where `CURL_HOME` names the folder.
  writeFileSync(join(folder, ".curlrc"), "silent\nshow-error\n");
  return folder;
}
