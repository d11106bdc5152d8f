import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connectionsOptionTable } from "../../src/connections/settings.ts";
import { authorityOptionTable } from "../../src/guard/authority/settings.ts";
import { jwksOptionTable } from "../../src/guard/keys/jwks-options.ts";
import { trustedIssuerOptionTable } from "../../src/guard/issuer-settings.ts";
import { httpRevocationsOptionTable } from "../../src/guard/revocations/http-feed.ts";
import { guardOptionTable } from "../../src/guard/settings.ts";
import { issuerOptionTable } from "../../src/issuer/config.ts";
import { tracingOptionTable } from "../../src/metrics/tracing.ts";
import { mcpOptionTable } from "../../src/mcp/settings.ts";
import { redisAnswersOptionTable, redisStoreOptionTable } from "../../src/stores/redis/options.ts";
import { sqliteStoreOptionTable } from "../../src/stores/sqlite/options.ts";
import { worldOptionTable } from "../../src/testing/simulation/world.ts";

type Defaults = Readonly<Record<string, { readonly default: unknown }>>;

const tables: readonly [page: string, heading: RegExp, declared: Defaults][] = [
  ["reference/options", /createGuard/, guardOptionTable],
  ["reference/options", /trusted issuer/, trustedIssuerOptionTable],
  ["reference/options", /jwks/, jwksOptionTable],
  ["reference/options", /httpRevocations/, httpRevocationsOptionTable],
  ["reference/options", /introspection/, authorityOptionTable],
  ["reference/options", /redisAnswers/, redisAnswersOptionTable],
  ["reference/options", /createConnections/, connectionsOptionTable],
  ["reference/options", /createMcpResource/, mcpOptionTable],
  ["reference/options", /createIssuer/, issuerOptionTable],
  ["reference/options", /sqliteStore/, sqliteStoreOptionTable],
  ["run/opentelemetry", /createTracing/, tracingOptionTable],
  ["run/redis", /The Redis store/, redisStoreOptionTable],
  ["extend/simulation", /Options of `World`/, worldOptionTable],
];

/** The options in the table under a heading, each with its cell in the column "default". */
function documentedDefaults(page: string, heading: RegExp): Map<string, string> {
  const text = readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), "utf8");
  const section = text.split(/^#+ /m).find((part) => heading.test(part.split("\n", 1)[0] ?? ""));
  assert.ok(section !== undefined, `docs/${page}.md has a section ${heading}`);
  const defaults = new Map<string, string>();
  for (const row of section.matchAll(/^\|(.*)\|$/gm)) {
    const [names = "", , cell = ""] = (row[1] ?? "").split(/(?<!\\)\|/);
    for (const [, name = ""] of names.matchAll(/`(\w+)`/g)) defaults.set(name, cell.trim());
  }
  return defaults;
}

/** The texts by which the documentation must state a default. A default that is a part of the program has none. */
function written(value: unknown): string[] {
  if (typeof value === "number") return [value.toLocaleString("en-US")];
  if (typeof value === "string" || typeof value === "boolean") return [String(value)];
  if (Array.isArray(value)) return value.length === 0 ? [] : [JSON.stringify(value).replaceAll(",", ", ")];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(written) : [];
}

/** Whether the cell contains `text`, and not only as a part of a longer word or number. */
function containsWord(cell: string, text: string): boolean {
  for (let at = cell.indexOf(text); at >= 0; at = cell.indexOf(text, at + 1)) {
    const [before, after] = [cell.slice(0, at), cell.slice(at + text.length)];
    if (!/[\w,.]$/.test(before) && !/^(?:\w|[,.]\d)/.test(after)) return true;
  }
  return false;
}

for (const [page, heading, declared] of tables) {
  test(`docs/${page}.md documents every option under ${heading}, and no other, with its default`, () => {
    const documented = documentedDefaults(page, heading);
    assert.deepEqual([...documented.keys()].toSorted(), Object.keys(declared).toSorted());
    for (const [name, { default: value }] of Object.entries(declared)) {
      const cell = documented.get(name) ?? "";
      for (const text of written(value)) {
        assert.ok(containsWord(cell, text), `${name} must have the default ${text}; the page says ${cell}`);
      }
    }
  });
}
