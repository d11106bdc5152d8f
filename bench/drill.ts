/*
 * Measures how long a call waits when the authority stops answering, over real connections. One row is the first
 * decision without the authority, another the decisions after the breaker has opened. The drill checks the same bounds in
 * a running API. Each round has a new guard and a new proxy before the authority. Times are milliseconds.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createGuard, introspection, staticKeys } from "../src/index.ts";
import { createFaultProxy, createProvider, type Provider, type ProxyMode } from "../src/testing/index.ts";
import { audience } from "./claims.ts";

/** A call may wait for the soft timeout of 80 ms, plus the machine's time for the decision. */
const FIRST_TARGET_MS = 100;
const LATER_CALLS = 20;

const { values: flags } = parseArgs({
  options: { json: { type: "string" }, rounds: { type: "string", default: "20" } },
});

interface Round {
  readonly firstMs: number;
  readonly laterMs: readonly number[];
}

async function timeDegraded(
  validate: (token: string) => Promise<unknown>,
  provider: Provider,
): Promise<number> {
  const token = provider.token();
  const startedAt = performance.now();
  await validate(token);
  return performance.now() - startedAt;
}

async function measureRound(provider: Provider, mode: ProxyMode): Promise<Round> {
  const proxy = await createFaultProxy({ target: provider.issuer });
  const { clientId, clientSecret } = provider;
  const url = provider.url("introspection").replace(provider.issuer, proxy.url);
  const guard = createGuard({
    issuer: provider.issuer,
    audience,
    keys: staticKeys(provider.jwks()),
    authority: introspection({ url, clientId, clientSecret }),
    degraded: "local",
  });
  const validate = async (token: string) => {
    const verdict = await guard.validate(token);
    if (verdict.status !== "valid" || verdict.degraded === null)
      throw new Error("the verdict is not degraded");
  };
  try {
    await guard.ready();
    proxy.set(mode);
    const firstMs = await timeDegraded(validate, provider);
    guard.forceBreaker("open");
    const laterMs: number[] = [];
    for (let i = 0; i < LATER_CALLS; i++) laterMs.push(await timeDegraded(validate, provider));
    return { firstMs, laterMs };
  } finally {
    await guard.close();
    await proxy.close();
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

const modes: readonly (readonly [name: string, mode: ProxyMode])[] = [
  ["refuses connections", { kind: "refuse" }],
  ["answers nothing", { kind: "black-hole" }],
];

const provider = await createProvider({ audience });
await provider.listen();
const results = [];
for (const [name, mode] of modes) {
  const rounds: Round[] = [];
  for (let i = 0; i < Number(flags.rounds); i++) rounds.push(await measureRound(provider, mode));
  const first = rounds.map(({ firstMs }) => firstMs);
  const later = rounds.flatMap(({ laterMs }) => laterMs);
  results.push({
    authority: name,
    "first, median": quantile(first, 0.5),
    "first, longest": Math.max(...first),
    "target of the first": FIRST_TARGET_MS,
    "later, median": quantile(later, 0.5),
    "later, p99": quantile(later, 0.99),
  });
}
await provider.close();
console.table(
  results.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([k, v]) => [k, typeof v === "number" ? Math.round(v * 100) / 100 : v]),
    ),
  ),
);
if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify(results, null, 2));
