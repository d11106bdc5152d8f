/*
 * How long a process takes until its first verdict, which is what a serverless function pays at a cold start. Each run is
 * a new process of the built package: `npm run build` comes first. The runs of all contenders alternate, and the time of
 * a process that does nothing is subtracted from each.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createMint } from "../src/testing/index.ts";
import { median, startProcess, type StartCost } from "./process-start.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const { values: flags } = parseArgs({
  options: { json: { type: "string" }, rounds: { type: "string", default: "31" } },
});

const mint = await createMint({ issuer: "https://id.example.com", audience: "https://api.example.com" });
const given = { token: mint.token(), jwks: mint.jwks() };

/** Programs that end with the processor time and the time since the start of the process, in milliseconds. */
const programs: Readonly<Record<string, string>> = {
  "node alone": "",
  "jose, import": `await import("jose");`,
  "jose, first verdict": `
    const { createLocalJWKSet, jwtVerify } = await import("jose");
    const options = { issuer: "https://id.example.com", audience: "https://api.example.com" };
    await jwtVerify(given.token, createLocalJWKSet(given.jwks), options);`,
  "fast-jwt, first verdict": `
    const { createVerifier } = await import("fast-jwt");
    const { createPublicKey } = await import("node:crypto");
    const key = createPublicKey({ key: given.jwks.keys[0], format: "jwk" }).export({ type: "spki", format: "pem" });
    createVerifier({ key, allowedIss: "https://id.example.com", allowedAud: "https://api.example.com" })(given.token);`,
  "holdfast, import": `await import("holdfast");`,
  "holdfast, first verdict": `
    const { createGuard, staticKeys } = await import("holdfast");
    const issuer = "https://id.example.com";
    const guard = createGuard({ issuer, audience: "https://api.example.com", keys: staticKeys(given.jwks) });
    if ((await guard.validate(given.token)).status !== "valid") throw new Error("the token was refused");`,
};

const runs = new Map(Object.keys(programs).map((name) => [name, [] as StartCost[]]));
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const [name, program] of Object.entries(programs))
    runs.get(name)?.push(await startProcess(program, root, given));
}

const alone = runs.get("node alone") ?? [];
const rows = [...runs].map(([name, costs]) => ({
  name,
  // A round is compared with the idle process of the same round, so that other programs disturb both.
  ms: median(costs.map(({ ms }, i) => ms - (alone[i]?.ms ?? Number.NaN))),
  cpuMs: median(costs.map(({ cpuMs }, i) => cpuMs - (alone[i]?.cpuMs ?? Number.NaN))),
}));
const floor = (end: string) => rows.find(({ name }) => name === `jose, ${end}`)?.ms ?? Number.NaN;
console.log(
  `beyond ${median(alone.map(({ ms }) => ms)).toFixed(0)} ms of node alone, medians of ${flags.rounds} processes`,
);
for (const { name, ms, cpuMs } of rows.slice(1)) {
  const ratio = ms / floor(name.slice(name.indexOf(", ") + 2));
  const figures = [
    `${ms.toFixed(0)} ms`,
    `${cpuMs.toFixed(0)} ms of processor time`,
    `${ratio.toFixed(2)} × jose`,
  ];
  console.log(`  ${name.padEnd(28)}${figures.join(", ")}`);
}
if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify({ node: process.version, rows }));
