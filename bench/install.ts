/*
 * What an application takes on when it installs a library: packages, files, megabytes, the size of the tarball, and the
 * time of a new process until its first verdict. Each contender is installed in a folder of its own.
 *
 * `npm run build` comes first. The peers come from the npm registry; without it they are skipped.
 */
import { execFile } from "node:child_process";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import manifest from "../package.json" with { type: "json" };
import { createProvider } from "../src/testing/index.ts";
import { median, startProcess, type StartCost } from "./process-start.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const { values: flags } = parseArgs({
  options: { json: { type: "string" }, rounds: { type: "string", default: "15" } },
});

interface Contender {
  readonly name: string;
  /** What npm packs: a folder of this checkout, or a name with a version. */
  readonly spec: string;
  /** Ends when a token is found to be valid. The key set comes over HTTP. `null` when the library verifies no bearer tokens. */
  readonly verdict: string | null;
}

const { "better-auth": betterAuth, "fast-jwt": fastJwt, jose } = manifest.devDependencies;
const guardVerdict = (name: string) => `
  const { createGuard, jwks } = await import("${name}");
  const guard = createGuard({ issuer: given.issuer, audience: given.audience, keys: jwks(given.jwks) });
  const verdict = await guard.validate(given.token);
  if (verdict.status !== "valid") throw new Error(verdict.status);`;

const contenders: readonly Contender[] = [
  { name: "holdfast-guard", spec: join(root, "dist-guard"), verdict: guardVerdict("holdfast-guard") },
  { name: "holdfast", spec: root, verdict: guardVerdict("holdfast") },
  {
    name: "jose",
    spec: `jose@${jose}`,
    verdict: `
      const { createRemoteJWKSet, jwtVerify } = await import("jose");
      const { issuer, audience } = given;
      await jwtVerify(given.token, createRemoteJWKSet(new URL(given.jwks)), { issuer, audience });`,
  },
  {
    name: "fast-jwt",
    spec: `fast-jwt@${fastJwt}`,
    // It fetches no keys, so the program does.
    verdict: `
      const { createVerifier } = await import("fast-jwt");
      const { createPublicKey } = await import("node:crypto");
      const { keys: [jwk] } = await (await fetch(given.jwks)).json();
      const key = createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
      createVerifier({ key, allowedIss: given.issuer, allowedAud: given.audience })(given.token);`,
  },
  {
    name: "express-oauth2-jwt-bearer",
    spec: "express-oauth2-jwt-bearer@1.10.0",
    verdict: `
      const { auth } = await import("express-oauth2-jwt-bearer");
      const { issuer, audience, jwks: jwksUri } = given;
      const check = auth({ issuer, audience, jwksUri, tokenSigningAlg: "ES256" });
      const headers = { authorization: "Bearer " + given.token };
      const get = (name) => (name === "Host" ? "api.example.com" : undefined);
      const request = { method: "GET", url: "/", protocol: "https", headers, query: {}, get, is: () => false };
      await new Promise((pass, refuse) => check(request, {}, (error) => (error ? refuse(error) : pass())));`,
  },
  // It issues sessions, and compares with the whole of Holdfast and not with the guard.
  { name: "better-auth", spec: `better-auth@${betterAuth}`, verdict: null },
];

interface Weight {
  readonly name: string;
  readonly packedBytes: number;
  readonly packages: number;
  readonly files: number;
  readonly bytes: number;
}

async function weigh({ name, spec }: Contender, project: string): Promise<Weight> {
  await mkdir(project);
  writeFileSync(join(project, "package.json"), '{ "private": true }');
  const packed = await run("npm", ["pack", spec, "--json"], { cwd: project, maxBuffer: 2 ** 26 });
  const [{ filename, size }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf("[\n"))) as [
    { filename: string; size: number },
  ];
  await run("npm", ["install", "--no-audit", "--no-fund", `./${filename}`], { cwd: project });
  const modules = join(project, "node_modules");
  const lock = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")) as { packages: object };
  const entries = await readdir(modules, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== ".package-lock.json");
  const bytes = files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
  return {
    name,
    packedBytes: size,
    packages: Object.keys(lock.packages).length,
    files: files.length,
    bytes,
  };
}

const provider = await createProvider({ audience: "https://api.example.com", algorithm: "ES256" });
await provider.listen(0);
const given = {
  token: provider.token(),
  issuer: provider.issuer,
  audience: "https://api.example.com",
  jwks: provider.url("jwks"),
};
const folder = await mkdtemp(join(tmpdir(), "holdfast-install-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

await run("npm", ["run", "-s", "build:guard"], { cwd: root });
const weights: Weight[] = [];
const programs = new Map<string, readonly [program: string, project: string]>();
for (const contender of contenders) {
  const { name, verdict } = contender;
  const project = join(folder, name);
  try {
    weights.push(await weigh(contender, project));
  } catch (error) {
    const [reason] = String((error as { stderr?: string }).stderr ?? error).split("\n");
    console.log(`${name}: skipped, because it could not be installed (${reason})`);
    continue;
  }
  programs.set(`${name}, import`, [`await import("${name}");`, project]);
  if (verdict !== null) programs.set(`${name}, first verdict`, [verdict, project]);
}

const alone: StartCost[] = [];
const costs = new Map([...programs.keys()].map((name) => [name, [] as StartCost[]]));
for (let round = 0; round < Number(flags.rounds); round++) {
  alone.push(await startProcess("", folder, given));
  for (const [name, [program, project]] of programs) {
    costs.get(name)?.push(await startProcess(program, project, given));
  }
}
await provider.close();

/** The medians beyond a process that does nothing. A round is compared with the idle process of the same round. */
const beyond = (name: string) => {
  const found = costs.get(name);
  if (found === undefined) return null;
  const middle = (part: keyof StartCost) =>
    Math.round(median(found.map((cost, i) => cost[part] - (alone[i]?.[part] ?? Number.NaN))));
  return { ms: middle("ms"), cpuMs: middle("cpuMs") };
};
const rows = weights.map((weight) => ({
  ...weight,
  importCost: beyond(`${weight.name}, import`),
  verdictCost: beyond(`${weight.name}, first verdict`),
}));
console.log(`times beyond node alone, medians of ${flags.rounds} processes; in brackets the processor time`);
const show = (cost: StartCost | null) => (cost === null ? "" : `${cost.ms} ms (${cost.cpuMs})`);
console.table(
  rows.map(({ name, packages, files, bytes, packedBytes, importCost, verdictCost }) => ({
    name,
    packages,
    files,
    MB: (bytes / 1e6).toFixed(2),
    "packed KB": (packedBytes / 1e3).toFixed(0),
    import: show(importCost),
    "first verdict": show(verdictCost),
  })),
);
if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify({ node: process.version, rows }));
