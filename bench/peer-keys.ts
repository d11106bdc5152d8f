/*
 * What libraries that verify tokens do while the key endpoint of the provider fails, and how often they ask it. The peers
 * are installed from npm into a folder of their own, in the versions that the output names. No figure is a time of a
 * busy machine, except that of the endpoint that never ends its answer.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { installProject } from "../scripts/peer-project.ts";
import { createMint, type Mint } from "../src/testing/index.ts";
import { AUDIENCE, contenders, type Contender, type Verify } from "./peer-keys/contenders.ts";
import { KeyEndpoint } from "./peer-keys/endpoint.ts";

const TOKENS = 50;
/** How long keys are cached, where that can be set, when the bench waits for the end of that time. */
const SHORT_MS = 1000;
/** The same otherwise. The defaults are from a minute to two hours. */
const LONG_MS = 600_000;
/** The libraries leave 30 s between two requests that unknown key ids cause. */
const COOL_DOWN_MS = 31_000;
/** How long the bench waits for an endpoint that never ends its answer. */
const DRIP_MS = 40_000;

const peers = [
  "jose",
  "jwks-rsa",
  "jsonwebtoken",
  "express-oauth2-jwt-bearer",
  "fast-jwt",
  "get-jwks",
  "aws-jwt-verify",
];
const folder = mkdtempSync(join(tmpdir(), "holdfast-peer-keys-"));

interface Outcome {
  readonly accepted: number;
  readonly requests: number;
  /** The errors of the tokens that were not accepted, each once. */
  readonly errors: string;
}

interface Scene {
  readonly endpoint: KeyEndpoint;
  readonly tokens: (count: number) => string[];
  readonly forgeries: (count: number) => string[];
  /** The provider signs with a new key from now on, and publishes it beside the earlier one. */
  rotate(): void;
}

/** The keys of all scenes, because making one takes longer than a scene: of the provider now, later, and of a stranger. */
const signingKeys = await Promise.all(
  [1, 2, 3].map(async () => {
    const mint = await createMint({ issuer: "unused", audience: AUDIENCE, algorithm: "RS256" });
    return mint.privateJwk ?? {};
  }),
);

async function openScene(): Promise<Scene> {
  const endpoint = await KeyEndpoint.open();
  const [first, next, stranger] = (await Promise.all(
    signingKeys.map(
      async (key) =>
        await createMint({ issuer: endpoint.issuer, audience: AUDIENCE, algorithm: "RS256", key }),
    ),
  )) as [Mint, Mint, Mint];
  let current = first;
  const many = (count: number, token: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => token(i));
  endpoint.keys = first.jwks().keys;
  return {
    endpoint,
    tokens: (count) => many(count, (i) => current.token({ jti: `good-${i}` })),
    forgeries: (count) => many(count, (i) => stranger.token({}, { kid: `unknown-${i}` })),
    rotate() {
      current = next;
      endpoint.keys = [...endpoint.keys, ...next.jwks().keys];
    },
  };
}

async function present(verify: Verify, tokens: readonly string[], endpoint: KeyEndpoint): Promise<Outcome> {
  const before = endpoint.requests;
  const errors = new Set<string>();
  let accepted = 0;
  for (const token of tokens) {
    try {
      await verify(token);
      accepted++;
    } catch (error) {
      const { status, code, name } = error as Error & { status?: number; code?: string };
      errors.add([status, code ?? name].filter((part) => part !== undefined).join(" "));
    }
  }
  return { accepted, requests: endpoint.requests - before, errors: [...errors].join(", ") };
}

/** Opens an instance that has the keys. */
async function openWithKeys(contender: Contender, scene: Scene, cacheMs: number): Promise<Verify> {
  const verify = await contender.open(scene.endpoint.issuer, cacheMs);
  for (const token of scene.tokens(1)) await verify(token);
  return verify;
}

/** The keys are cached, the endpoint fails, and the cache time passes. */
async function outage(contender: Contender, scene: Scene): Promise<Outcome> {
  const verify = await openWithKeys(contender, scene, SHORT_MS);
  scene.endpoint.mode = "down";
  await pause(COOL_DOWN_MS);
  return await present(verify, scene.tokens(TOKENS), scene.endpoint);
}

/** The process restarts while the endpoint fails. */
async function restart(contender: Contender, scene: Scene): Promise<Outcome> {
  await openWithKeys(contender, scene, LONG_MS);
  await pause(COOL_DOWN_MS);
  scene.endpoint.mode = "down";
  const { endpoint, tokens } = scene;
  return await present(await contender.open(endpoint.issuer, LONG_MS), tokens(TOKENS), endpoint);
}

/** Many tokens with key ids that do not exist. */
async function flood(contender: Contender, scene: Scene): Promise<Outcome> {
  const verify = await openWithKeys(contender, scene, LONG_MS);
  await pause(COOL_DOWN_MS);
  return await present(verify, scene.forgeries(TOKENS), scene.endpoint);
}

/** A provider begins to sign with a new key that it published at the same moment. */
async function rotation(contender: Contender, scene: Scene): Promise<Outcome> {
  const verify = await openWithKeys(contender, scene, LONG_MS);
  await pause(COOL_DOWN_MS);
  scene.rotate();
  return await present(verify, scene.tokens(TOKENS), scene.endpoint);
}

/** The same, a moment after a stranger presented an unknown key id. */
async function rotationAfterStranger(contender: Contender, scene: Scene): Promise<Outcome> {
  const verify = await openWithKeys(contender, scene, LONG_MS);
  await pause(COOL_DOWN_MS);
  await present(verify, scene.forgeries(1), scene.endpoint);
  scene.rotate();
  return await present(verify, scene.tokens(TOKENS), scene.endpoint);
}

/** The first token of a process, while the endpoint sends its answer byte by byte. */
async function drip({ open, hasOwnFetcher }: Contender, { endpoint, tokens }: Scene): Promise<string> {
  if (!hasOwnFetcher) return "not measured";
  endpoint.mode = "drip";
  const verify = await open(endpoint.issuer, LONG_MS);
  const start = performance.now();
  const answered = present(verify, tokens(1), endpoint).then(({ errors }) => {
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    return `${seconds} s (${errors})`;
  });
  return await Promise.race([answered, pause(DRIP_MS, `none in ${DRIP_MS / 1000} s`, { ref: false })]);
}

function describe({ accepted, requests, errors }: Outcome): string {
  const refused = errors === "" ? "" : `: ${errors}`;
  return `${accepted} of ${TOKENS}, ${requests} requests${refused}`;
}

function version(name: string): string {
  const manifest = readFileSync(join(folder, "node_modules", name, "package.json"), "utf8");
  return `${name} ${(JSON.parse(manifest) as { version: string }).version}`;
}

async function row(contender: Contender): Promise<string> {
  const cells = [outage, restart, rotation, rotationAfterStranger, flood, drip].map(async (scenario) => {
    const scene = await openScene();
    try {
      const outcome = await scenario(contender, scene);
      return typeof outcome === "string" ? outcome : describe(outcome);
    } finally {
      scene.endpoint.close();
    }
  });
  const { packages, note } = contender;
  const name = packages.length === 0 ? "Holdfast" : packages.map(version).join(" + ");
  return `| ${name}${note === "" ? "" : ` (${note})`} | ${(await Promise.all(cells)).join(" | ")} |`;
}

try {
  installProject(folder, { dependencies: Object.fromEntries(peers.map((name) => [name, "latest"])) });
  const columns = [
    "the endpoint fails, and the cache time passes",
    "the process restarts while it fails",
    "a new key",
    "a new key, after a stranger's unknown key id",
    "50 unknown key ids",
    "the endpoint never ends its answer",
  ];
  console.log(`| | ${columns.join(" | ")} |\n|${" --- |".repeat(columns.length + 1)}`);
  const all = contenders(folder, join(folder, "snapshots"));
  // Node cannot load a module by `require` while an `import` of the same module is under way.
  for (const { open } of all) await open("http://127.0.0.1:9", LONG_MS);
  for (const line of await Promise.all(all.map(row))) console.log(line);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
