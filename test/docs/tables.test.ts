import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { closeCodes } from "../../src/connections/index.ts";
import { settingDefinitions } from "../../src/server/setting-definitions.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** The source from a declaration to the end of its block or statement, without docstrings. */
function declaration(path: string, start: RegExp, end: string): string {
  const source = read(path).replaceAll(/\/\*\*[^]*?\*\//g, "");
  const from = source.search(start);
  assert.ok(from >= 0, `${path} declares ${start}`);
  return source.slice(from, source.indexOf(end, from));
}

/** The string literals of a union type. */
function union(path: string, name: string): string[] {
  return literals(declaration(path, new RegExp(`type ${name} =`), ";"));
}

/** The string literals of a member of an interface. */
function memberUnion(path: string, owner: string, member: string): string[] {
  const body = declaration(path, new RegExp(`interface ${owner} `), "\n}");
  const from = body.indexOf(`${member}:`);
  return literals(body.slice(from, body.indexOf(";", from)));
}

function literals(source: string): string[] {
  return [...source.matchAll(/^\s*\| "(\w+)"/gm)].map((m) => m[1] ?? "");
}

/** The names of an interface's own members. */
function members(path: string, name: string): string[] {
  const body = declaration(path, new RegExp(`interface ${name}[ <]`), "\n}");
  return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??[:(]/gm)].map((m) => m[1] ?? "");
}

/** First cells of the table under a heading, without back-ticks. */
function table(path: string, heading: RegExp): string[] {
  const sections = read(path).split(/^#+ /m);
  const section = sections.find((s) => heading.test(s.split("\n", 1)[0] ?? ""));
  assert.ok(section !== undefined, `${path} has a section ${heading}`);
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map((m) => m[1] ?? "");
}

const pages: [what: string, declared: () => string[], page: string, heading: RegExp][] = [
  ["error code", () => union("src/core/errors.ts", "ErrorCode"), "reference/errors", /^Errors$/],
  ["invalid reason", () => union("src/core/verdict.ts", "InvalidReason"), "reference/errors", /invalid/],
  [
    "unavailable cause",
    () => union("src/core/verdict.ts", "UnavailableCause"),
    "reference/errors",
    /no answer/,
  ],
  ["audit kind", () => union("src/core/events.ts", "AuditKind"), "reference/events", /holdfast:audit/],
  [
    "event of a guard",
    () => memberUnion("src/core/events.ts", "GuardEvent", "event"),
    "reference/events",
    /holdfast:guard/,
  ],
  [
    "event of a connection",
    () => memberUnion("src/core/events.ts", "ConnectionEvent", "event"),
    "reference/events",
    /:connection/,
  ],
  [
    "event of an issuer",
    () => memberUnion("src/core/events.ts", "IssuerEvent", "event"),
    "reference/events",
    /:issuer/,
  ],
  [
    "outcome of a question",
    () => memberUnion("src/core/operation-events.ts", "QuestionEvent", "outcome"),
    "reference/events",
    /:question/,
  ],
  [
    "outcome of a refresh",
    () => memberUnion("src/core/operation-events.ts", "RefreshEvent", "outcome"),
    "reference/events",
    /:refresh/,
  ],
  [
    "event of a store",
    () => memberUnion("src/core/events.ts", "StoreEvent", "event"),
    "reference/events",
    /:store/,
  ],
  [
    "member of a decision",
    () => members("src/core/events.ts", "DecisionEvent"),
    "reference/events",
    /holdfast:decision/,
  ],
  [
    "option of createGuard",
    () => [...members("src/guard/types.ts", "CommonGuardOptions"), "issuers", "issuerFor"],
    "reference/options",
    /createGuard/,
  ],
  [
    "option of a trusted issuer",
    () => members("src/guard/types.ts", "TrustedIssuer"),
    "reference/options",
    /trusted issuer/,
  ],
  [
    "option of jwks",
    () => members("src/guard/keys/jwks-options.ts", "JwksOptions"),
    "reference/options",
    /jwks/,
  ],
  [
    "option of httpRevocations",
    () => members("src/guard/revocations/http-feed.ts", "HttpRevocationsOptions"),
    "reference/options",
    /httpRevocations/,
  ],
  [
    "option of an authority",
    () => [
      ...members("src/guard/authority/settings.ts", "AuthorityOptions"),
      ...members("src/guard/authority/client-authentication.ts", "ClientAuthenticationOptions"),
    ],
    "reference/options",
    /introspection/,
  ],
  [
    "option of createConnections",
    () => members("src/connections/types.ts", "ConnectionsOptions"),
    "reference/options",
    /createConnections/,
  ],
  [
    "option of createIssuer",
    () => members("src/issuer/types.ts", "IssuerOptions"),
    "reference/options",
    /createIssuer/,
  ],
  ["setting of the service", () => Object.keys(settingDefinitions), "reference/settings", /^Settings$/],
];

for (const [what, declared, page, heading] of pages) {
  test(`docs/${page}.md documents every ${what}, and no other`, () => {
    const names = declared();
    assert.ok(names.length > 3);
    assert.deepEqual(table(`docs/${page}.md`, heading).toSorted(), names.toSorted());
  });
}

const shapes: [channel: string, file: string, event: string][] = [
  ["guard", "events", "GuardEvent"],
  ["question", "operation-events", "QuestionEvent"],
  ["keys", "operation-events", "KeysEvent"],
  ["breaker", "operation-events", "BreakerEvent"],
  ["connection", "events", "ConnectionEvent"],
  ["issuer", "events", "IssuerEvent"],
  ["login", "operation-events", "LoginEvent"],
  ["refresh", "operation-events", "RefreshEvent"],
  ["command", "operation-events", "CommandEvent"],
  ["store", "events", "StoreEvent"],
  ["audit", "events", "AuditEvent"],
];

for (const [channel, file, event] of shapes) {
  test(`docs/reference/events.md shows the members of the events of holdfast:${channel}`, () => {
    const [, section = ""] = read("docs/reference/events.md").split(`\n## \`holdfast:${channel}\``);
    const [, shape = ""] = /^Each event is `\{ (.*?) \}`/m.exec(section) ?? [];
    assert.deepEqual(shape.split(", "), members(`src/core/${file}.ts`, event));
  });
}

test("docs/reference/events.md has a section for every channel", () => {
  const sources = read("src/core/event-channels.ts") + read("src/core/operation-channels.ts");
  const declared = [...sources.matchAll(/channel\("(.*?)"\)/g)];
  const headings = [...read("docs/reference/events.md").matchAll(/^## `(holdfast:\w+)`/gm)];
  const names = (matches: RegExpExecArray[]) =>
    matches.map(([, name = ""]) => name).toSorted((a, b) => (a < b ? -1 : 1));
  assert.deepEqual(names(headings), names(declared));
});

test("docs/reference/close-codes.md names each close code as the code does", () => {
  const rows = [...read("docs/reference/close-codes.md").matchAll(/^\| `(\d{4})` \| `(\w+)` \|/gm)];
  assert.deepEqual(Object.fromEntries(rows.map(([, code, error = ""]) => [error, Number(code)])), closeCodes);
});

test("docs/reference/settings.md gives the default of every setting as the code does", () => {
  const rows = [
    ...read("docs/reference/settings.md").matchAll(
      /^\| `((?:HOLDFAST|ALLOW|REDIS)_\w+)` \| .* \| ([^|]+) \|$/gm,
    ),
  ];
  const documented = Object.fromEntries(rows.map(([, name = "", cell = ""]) => [name, cell]));
  const declared = Object.entries(settingDefinitions).map(([name, definition]) => {
    const { default: text, otherwise } = definition;
    return [name, text === undefined ? otherwise : `\`${text}\``];
  });
  assert.deepEqual(documented, Object.fromEntries(declared));
});
