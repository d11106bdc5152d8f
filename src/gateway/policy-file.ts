import { checkClaimRules, type ClaimRules } from "../core/claim-rules.ts";
import { degradedModes, MIN_AUTH_AGE_MS, ruleNames, type DegradedMode } from "../core/rules.ts";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { HoldfastError, systemErrorCode } from "../core/errors.ts";
import { isExactOrigin } from "../core/origin.ts";
import { isHeaderName } from "../core/request-token.ts";
import { isScopeToken } from "../core/scopes.ts";
import { parseJsonObject } from "../jwt/strict-json.ts";
import { parsePathPattern, findShadowingRule, type PathPolicy, type PathRule } from "./policy.ts";
import { supportedMethods, normalizeHost } from "./forwarded-request.ts";

function must<T>(be: string, holds: (value: unknown) => boolean) {
  return z.custom<T>(holds, `must be ${be}`);
}

function listOf(holds: (item: unknown) => boolean): (value: unknown) => boolean {
  return (value) => Array.isArray(value) && value.length > 0 && value.every(holds);
}

/** The values that claims must have. The issue names the claim. */
const claimRules = z.unknown().transform((value, context): ClaimRules => {
  try {
    checkClaimRules("claims", value);
    return value;
  } catch (error) {
    context.addIssue((error as Error).message.replace(/^claims[. ]/, ""));
    return z.NEVER;
  }
});

/** The schema of one rule. docs/run/gateway.md describes the members. */
const ruleSchema = z
  .strictObject({
    host: must<string>("a host in lower case, without port", (value) =>
      typeof value === "string" ? normalizeHost(value) === value : false,
    ).optional(),
    path: must<string>("a path such as /orders, or /orders/* for everything below it", (value) =>
      typeof value === "string" ? parsePathPattern(value) !== null : false,
    ),
    methods: must<string[]>(
      'methods such as ["GET", "POST"]; GET includes HEAD, which cannot be listed',
      (value) => listOf((item) => item !== "HEAD" && supportedMethods.has(item as string))(value),
    ).optional(),
    anonymous: must<true>("true, or left out", (value) => value === true).optional(),
    scopes: must<string[]>("one scope or more", listOf(isScopeToken)).optional(),
    anyScope: must<string[]>("one scope or more", listOf(isScopeToken)).optional(),
    claims: claimRules.optional(),
    audience: must<string | string[]>("one audience or a list of them", (value) =>
      listOf((item) => typeof item === "string" && item !== "")([value].flat()),
    ).optional(),
    degraded: must<DegradedMode>("deny, cached or local", (value) =>
      degradedModes.some((mode) => mode === value),
    ).optional(),
    maxRevocationAgeMs: must<number>(
      "a whole number of milliseconds",
      (value) => Number.isSafeInteger(value) && Number(value) >= 0,
    ).optional(),
    maxAuthAgeMs: must<number>(
      `a whole number of milliseconds, at least ${MIN_AUTH_AGE_MS}`,
      (value) => Number.isSafeInteger(value) && Number(value) >= MIN_AUTH_AGE_MS,
    ).optional(),
  })
  .refine(
    ({ anonymous, host: _host, path: _path, methods: _methods, ...requirements }) =>
      anonymous === undefined || Object.keys(requirements).length === 0,
    `cannot be anonymous and have ${ruleNames.join(", ")}`,
  );

const cookieSchema = z.strictObject({
  name: must<string>("the name of a cookie", (value) => typeof value === "string" && isHeaderName(value)),
  origins: must<string[]>(
    "a list of exact origins such as https://app.example.com, without wildcards",
    listOf(isExactOrigin),
  ),
});

const fileSchema = z.strictObject({
  tokenFrom: z.strictObject({ cookie: cookieSchema }).optional(),
  rules: z
    .array(ruleSchema, "must be a list of rules")
    .min(1, "must have a rule: without one no request passes"),
});

/**
 * Reads the policy of the gateway. Rejects with one `invalid_option`, which lists every problem of the first stage that
 * fails: the JSON, its shape, or a rule that no request reaches.
 */
export async function readPolicyFile(file: string): Promise<PathPolicy> {
  let text: string;
  try {
    text = withoutComments(await readFile(file, "utf8"));
  } catch (error) {
    throw policyError(file, [`cannot be read (${systemErrorCode(error)})`], error);
  }
  const { data, error } = fileSchema.safeParse(parse(file, text));
  const lines = findRuleLines(text);
  const place = (path: readonly PropertyKey[]) => {
    const [, rule, ...member] = path;
    return typeof rule === "number" ? [`line ${lines[rule]}:`, ...member].join(" ") : path.join(".");
  };
  if (data === undefined) {
    const issues = error?.issues ?? [];
    throw policyError(
      file,
      issues.map((issue) => `${place(issue.path)} ${issue.message}`.trim()),
    );
  }
  const { name, origins } = data.tokenFrom?.cookie ?? {};
  const cookie = name === undefined ? {} : { cookie: { name, origins: new Set(origins) } };
  const policy = data.rules.map((rule) => ({ ...toRule(rule), ...cookie }));
  const unreachable = policy.flatMap((rule, i) =>
    (rule.methods ?? [null]).flatMap((method) => {
      const shadow = findShadowingRule(policy.slice(0, i), rule, method);
      if (shadow === undefined) return [];
      const what = method === null ? "" : ` for ${method}`;
      return [`line ${lines[i]}: is never reached${what}: line ${lines[policy.indexOf(shadow)]} comes first`];
    }),
  );
  if (unreachable.length > 0) throw policyError(file, unreachable);
  return policy;
}

function toRule({ host, path, methods, anonymous, ...requirements }: z.output<typeof ruleSchema>): PathRule {
  const pattern = parsePathPattern(path);
  if (pattern === null) throw new TypeError("the schema accepts no such path");
  return {
    host: host ?? null,
    path: pattern,
    methods: methods ?? null,
    requirements: anonymous === true ? null : (requirements as PathRule["requirements"]),
  };
}

function parse(file: string, text: string): unknown {
  try {
    JSON.parse(text);
  } catch (error) {
    throw policyError(file, [`is not JSON: ${(error as Error).message.replaceAll(/\s+/g, " ")}`], error);
  }
  const object = parseJsonObject(Buffer.from(text));
  if (object === null) throw policyError(file, ["must be an object without duplicate members"]);
  return object;
}

function policyError(file: string, problems: readonly string[], cause?: unknown): HoldfastError {
  const message = problems.map((problem) => `HOLDFAST_POLICY ${file}: ${problem}`).join("\n");
  return new HoldfastError("invalid_option", message, { cause });
}

/** Replaces comments with blanks, so that the positions in the text stay the same. */
function withoutComments(text: string): string {
  return text.replace(
    /("(?:[^"\\\n]|\\.)*")|\/\/.*|\/\*[^]*?\*\//g,
    (match: string, string?: string) => string ?? match.replace(/./g, " "),
  );
}

/** Finds the line on which each rule begins. Rules are the items of the list at depth 2. */
function findRuleLines(text: string): number[] {
  const lines: number[] = [];
  let depth = 0;
  let line = 1;
  let isDue = false;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},\n]|[^\s[\]{},"]+/g)) {
    if (token === "\n") {
      line++;
      continue;
    }
    if (isDue) lines.push(line);
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    isDue = depth === 2 && (token === "[" || token === ",");
  }
  return lines;
}
