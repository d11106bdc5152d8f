import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, type Project } from "./peer-project.ts";

/** The packages whose types the entries name, in the versions of this repository. */
export const typedPackages: Readonly<Record<string, string>> = {
  "@fastify/websocket": "11.3.6",
  "@nestjs/common": "12.5.1",
  "@opentelemetry/api": "1.10.0",
  "@types/node": "24.19.2",
  "@types/react": "19.3.3",
  "@types/ws": "8.18.2",
  fastify: "5.12.8",
  hono: "4.13.19",
  "prom-client": "15.1.3",
  react: "19.3.1",
  redis: "6.3.1",
  "reflect-metadata": "0.2.2",
  rxjs: "7.8.2",
};

/** Compiles a strict program that imports all entries, with the resolution of Node and with that of a bundler. */
export function tryEntries({ folder, name }: Project): void {
  const manifest = join(folder, "node_modules", name, "package.json");
  const { exports } = JSON.parse(readFileSync(manifest, "utf8")) as { exports: Record<string, unknown> };
  const paths = Object.keys(exports).filter((path) => path !== "./package.json");
  const imports = paths.map((path, i) => `import * as m${i} from "${name}${path.slice(1)}";\nvoid m${i};\n`);
  writeFileSync(join(folder, "entries.mts"), imports.join(""));
  const tsc = ["node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--target", "es2024"];
  const options = [...tsc, "--lib", "es2024,dom", "--types", "node,react"];
  for (const resolution of [
    ["--module", "nodenext"],
    ["--module", "esnext", "--moduleResolution", "bundler"],
  ]) {
    run(folder, process.execPath, [...options, ...resolution, "entries.mts"]);
  }
}
