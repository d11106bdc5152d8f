import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decideRule,
  findShadowingRule,
  parsePathPattern,
  revocationAgeBounds,
  type PathRule,
} from "../../src/gateway/policy.ts";
import type { ForwardedRequest } from "../../src/gateway/forwarded-request.ts";
import { indexPolicy } from "../../src/gateway/rule-index.ts";

function decide(policy: readonly PathRule[], request: ForwardedRequest): ReturnType<typeof decideRule> {
  return decideRule(indexPolicy(policy), request);
}

function rule(path: string, more: Partial<PathRule> = {}): PathRule {
  const pattern = parsePathPattern(path);
  assert.ok(pattern, path);
  return { host: null, methods: null, requirements: {}, ...more, path: pattern };
}

function asked(path: string, method = "GET", host = "a.example"): ForwardedRequest {
  return { status: "ok", host, method, path: path === "/" ? "" : path };
}

const matches: [pattern: string, path: string, matches: boolean][] = [
  ["/", "/", true],
  ["/", "/a", false],
  ["/*", "/", true],
  ["/*", "/a/b", true],
  ["/api", "/api", true],
  ["/api", "/api/a", false],
  ["/api/*", "/api", true],
  ["/api/*", "/api/a/b", true],
  ["/api/*", "/apis", false],
  ["/api/*", "/ap", false],
  ["/api/*", "/API/a", false],
  ["/caf%C3%A9/*", "/café/a", true],
];
for (const [pattern, path, expected] of matches) {
  test(`the rule ${pattern} ${expected ? "matches" : "does not match"} ${path}`, () => {
    assert.equal(decide([rule(pattern)], asked(path)) !== null, expected);
  });
}

test("the first rule that matches decides, by host, path and method", () => {
  const policy = [
    rule("/a", { host: "b.example" }),
    rule("/a", { methods: ["POST"] }),
    rule("/a/*", { methods: ["GET"] }),
    rule("/*"),
  ];
  const found = (...question: Parameters<typeof asked>) =>
    policy.indexOf(decide(policy, asked(...question)) as PathRule);
  assert.equal(found("/a", "GET", "b.example"), 0);
  assert.equal(found("/a", "POST"), 1);
  assert.equal(found("/a"), 2);
  assert.equal(found("/a/b"), 2);
  assert.equal(found("/a/b", "PUT"), 3);
});

test("fault 55: every reading of a path and of a method needs the same rule", () => {
  const policy = [
    rule("/admin/*", { requirements: { scopes: ["admin"] } }),
    rule("/items/*", { methods: ["GET"] }),
    rule("/items/*", { methods: ["DELETE"], requirements: { scopes: ["delete"] } }),
    rule("/*"),
  ];
  const decideWith = (more: Partial<ForwardedRequest>) => decide(policy, { ...asked("/items/7"), ...more });
  assert.equal(decideWith({ otherPaths: ["/items//7", "/items/8"] }), policy[1]);
  assert.equal(decideWith({ otherPaths: ["/items//7", "/admin/7"] }), "ambiguous_path");
  assert.equal(decideWith({ otherPaths: ["/Admin/7"] }), "ambiguous_path");
  assert.equal(decideWith({ otherMethods: ["GET"] }), policy[1]);
  assert.equal(decideWith({ otherMethods: ["GET", "DELETE"] }), "ambiguous_method");
  assert.equal(decideWith({ otherMethods: ["MADE-UP"] }), "ambiguous_method");
  assert.equal(decideWith({ path: "/a", otherMethods: ["DELETE", "MADE-UP"] }), policy[3]);
});

test("fault 55: a path that some servers equate with a rule's path never reaches a laxer rule", () => {
  const policy = [
    rule("/admin/*", { requirements: { scopes: ["admin"] } }),
    rule("/*", { requirements: null }),
  ];
  assert.equal(decide(policy, asked("/Admin/users")), null);
  assert.equal(decide(policy, asked("/ADMIN")), null);
  assert.equal(decide(policy, asked("/administration")), policy[1]);
  assert.equal(decide(policy, asked("/adm\u0131n")), null);
  for (const same of ["/admin.", "/admin. /users", "/\uff41dmin/users", "/\u212a"]) {
    const rules = [rule("/k"), ...policy];
    assert.equal(decide(rules, asked(same)), null, same);
  }
  assert.equal(decide(policy, asked("/admin/Inc.")), policy[0]);
});

for (const text of [
  "",
  "a",
  "/a*",
  "/*/a",
  "/a?",
  "/a//*",
  "/a;b",
  "/../*",
  "/%2e",
  "*",
  "//*",
  "/é",
  "/users/:id",
  "/users/(me)",
  "/users/[0-9]+",
  "/users$",
  "/a|b",
  "/c++",
]) {
  test(`${JSON.stringify(text)} is rejected as the path of a rule`, () =>
    assert.equal(parsePathPattern(text), null));
}

/* The model treats paths as lists of segments. */

type Written = { host: string | null; segments: string[]; below: boolean; methods: string[] | null };

const segment = fc.constantFrom("a", "A", "b", "ab");
const host = fc.constantFrom("x.example", "y.example");
const method = fc.constantFrom("GET", "POST");
const written: fc.Arbitrary<Written> = fc.record({
  host: fc.option(host),
  segments: fc.array(segment, { maxLength: 3 }),
  below: fc.boolean(),
  methods: fc.option(fc.uniqueArray(method, { minLength: 1 })),
});

function compile({ segments, below, ...rest }: Written): PathRule {
  return rule(`/${segments.join("/")}${below ? `${segments.length > 0 ? "/" : ""}*` : ""}`, rest);
}

function modelFind(
  policy: Written[],
  question: { host: string; method: string; segments: string[] },
): number {
  const begins = (long: string[], short: string[]) => short.every((each, i) => long[i] === each);
  const fold = (segments: string[]) => segments.map((each) => each.toLowerCase());
  const fits = (given: Written, folded: boolean) => {
    const [path, base] = folded
      ? [fold(question.segments), fold(given.segments)]
      : [question.segments, given.segments];
    return begins(path, base) && (given.below || path.length === base.length);
  };
  const first = policy.findIndex(
    (given) =>
      (given.host === null || given.host === question.host) &&
      (given.methods === null || given.methods.includes(question.method)) &&
      fits(given, true),
  );
  const winner = policy[first];
  return winner !== undefined && fits(winner, false) ? first : -1;
}

const question = fc.record({ host, method, segments: fc.array(segment, { maxLength: 4 }) });
const pathOf = (segments: string[]) => `/${segments.join("/")}`;

test("a policy decides as a naive model does", () => {
  fc.assert(
    fc.property(fc.array(written, { maxLength: 5 }), question, (policy, { segments, ...rest }) => {
      const rules = policy.map(compile);
      const found = decide(rules, asked(pathOf(segments), rest.method, rest.host));
      assert.equal(
        found === null ? -1 : rules.indexOf(found as PathRule),
        modelFind(policy, { segments, ...rest }),
      );
    }),
    { numRuns: 5000 },
  );
});

test("a rule is reported as unreachable exactly when no request reaches it", () => {
  const hosts = ["x.example", "y.example", "z.example"];
  const methods = ["GET", "POST", "PUT"];
  const names = ["a", "A", "b", "ab", "c"];
  const paths: string[][] = [[]];
  for (const path of paths) if (path.length < 4) paths.push(...names.map((name) => [...path, name]));
  fc.assert(
    fc.property(fc.array(written, { minLength: 1, maxLength: 3 }), written, (before, last) => {
      const rules = [...before, last].map(compile);
      const lastRule = rules.at(-1)!;
      for (const asks of last.methods ?? [null]) {
        const reached = paths
          .filter((path) => last.segments.every((each, i) => path[i] === each))
          .some((path) =>
            (last.host === null ? hosts : [last.host]).some((from) =>
              (asks === null ? methods : [asks]).some(
                (by) => decide(rules, asked(pathOf(path), by, from)) === lastRule,
              ),
            ),
          );
        assert.equal(findShadowingRule(rules.slice(0, -1), lastRule, asks) === undefined, reached);
      }
    }),
    { numRuns: 500 },
  );
});

test("the bounds of a policy on the age of revocations are those of the rules that need a token", () => {
  const bounded = (maxRevocationAgeMs: number) => rule("/a", { requirements: { maxRevocationAgeMs } });
  const anonymous = rule("/b", { requirements: null });
  const none = { narrowestMs: Infinity, widestMs: Infinity };
  assert.deepEqual(revocationAgeBounds(), none);
  assert.deepEqual(revocationAgeBounds([anonymous]), none);
  assert.deepEqual(revocationAgeBounds([bounded(5), anonymous, bounded(0)]), { narrowestMs: 0, widestMs: 5 });
  assert.deepEqual(revocationAgeBounds([bounded(5), rule("/c")]), { narrowestMs: 5, widestMs: Infinity });
});
