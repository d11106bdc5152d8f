import type { HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import { z } from "zod";
import type { JwtClaims, Verdict } from "../../../core/verdict.ts";
import type { ExplainCheck, Explanation } from "../../../dashboard/wire-api.ts";
import type { TrustedIssuerStatus } from "../../../guard/status-types.ts";
import { toPlainRequest } from "../../../core/plain-http.ts";
import { readBody, stringSchema } from "../../../issuer/endpoints/body.ts";
import { oauthError } from "../../http/respond.ts";
import { parseToken, type ParsedToken } from "../../../jwt/parse.ts";
import { durationWords } from "../../health/words.ts";
import { isLocalPeer } from "../../http/admin-access.ts";
import type { Service } from "../../service.ts";
import { addPostRoute, answer } from "./answer.ts";
import { describeVerdict } from "./verdict-words.ts";

/** The body has room for the longest token that a guard accepts by default. */
const MAX_BODY_BYTES = 20_480;
const MAX_TOKEN_CHARS = 16_384;

const schema = z.strictObject({ token: stringSchema() });

/** Adds the route that explains a token. A token is a secret, so it must come from this machine. It is not logged. */
export function addExplain(app: Hono, service: Service): void {
  const { clock } = service.platform;
  addPostRoute(
    app,
    "/api/explain",
    answer(clock, async (c) => {
      if (!isLocalPeer(c.env as Partial<HttpBindings> | undefined)) {
        return oauthError(403, "forbidden", "A token is explained to clients on this machine only.");
      }
      const { token } = await readBody({ clock }, toPlainRequest(c.req.raw), schema, MAX_BODY_BYTES);
      return await explainToken(service, token.trim().replace(/^bearer +/i, ""), clock.now());
    }),
  );
}

/** Says what the guard of this process decides about a token, and why. */
async function explainToken({ guard }: Service, token: string, now: number): Promise<Explanation> {
  if (token.length > MAX_TOKEN_CHARS)
    return withoutGuard("malformed", `It is longer than ${MAX_TOKEN_CHARS} bytes.`);
  const parts = token.split(".").length;
  if (parts !== 3) {
    const isJwe = parts === 5;
    if (isJwe) return withoutGuard("malformed", "It is an encrypted token (JWE), which no guard reads.");
    const verdict = await guard.validate(token);
    return { ...withoutGuard("opaque", ""), ...describeVerdict(verdict, now), checks: [] };
  }
  const parsed = parseToken(token);
  if ("reason" in parsed) {
    return {
      ...withoutGuard("malformed", `The guard refuses its form: ${parsed.reason}.`),
      reason: parsed.reason,
    };
  }
  const issuer = guard.status().issuers.find((one) => one.issuer === parsed.claims.iss) ?? null;
  const about = {
    kind: "jwt",
    header: { alg: parsed.algorithm, kid: parsed.kid, typ: parsed.typ },
    claims: parsed.claims,
    times: readTimes(parsed.claims, now),
  } as const;
  const key = keyCheck(issuer, parsed);
  if (issuer === null || key.outcome !== "pass") {
    const checks = [issuerCheck(issuer, parsed), ...(issuer === null ? [] : [key])];
    const isForeign = issuer === null;
    return {
      ...about,
      status: isForeign ? "invalid" : "unknown",
      reason: isForeign ? "wrong_issuer" : null,
      text: isForeign ? "The guard refuses it: it trusts no such issuer." : key.words,
      checks,
    };
  }
  const verdict = await guard.validate(token);
  const checks = [issuerCheck(issuer, parsed), key, ...verdictChecks(verdict, now)];
  return { ...about, ...describeVerdict(verdict, now), checks };
}

function withoutGuard(kind: Explanation["kind"], text: string): Explanation {
  return {
    status: "invalid",
    text,
    reason: "malformed",
    kind,
    header: null,
    claims: null,
    checks: [],
    times: [],
  };
}

function issuerCheck(issuer: TrustedIssuerStatus | null, { claims }: ParsedToken): ExplainCheck {
  const name = claims.iss ?? "none";
  return issuer === null
    ? { name: "issuer", outcome: "fail", words: `${name} is not an issuer that this service trusts` }
    : { name: "issuer", outcome: "pass", words: name };
}

/** A token under another key would make the guard fetch the key set, and an explanation must not cause a request for it. */
function keyCheck(issuer: TrustedIssuerStatus | null, { kid }: ParsedToken): ExplainCheck {
  const { kids = [], vanished = [], maxStaleMs = null } = issuer?.keys ?? {};
  if (maxStaleMs === null && issuer !== null)
    return { name: "key", outcome: "pass", words: "the keys are configured" };
  if (kid === undefined) {
    const words =
      "The token names no key (kid), so only a request can tell: the guard tries every key of its issuer.";
    return { name: "key", outcome: "unknown", words };
  }
  if (kids.includes(kid)) return { name: "key", outcome: "pass", words: `${kid} is in the key set` };
  if (vanished.includes(kid)) {
    return {
      name: "key",
      outcome: "pass",
      words: `${kid} has left the key set, and serves for a bounded time`,
    };
  }
  const words = `The guard has no key ${kid.slice(0, 100)}. It would fetch the key set again before it decides.`;
  return { name: "key", outcome: "unknown", words };
}

/** The checks that a verdict has passed, as far as it tells. */
function verdictChecks(verdict: Verdict, now: number): ExplainCheck[] {
  const { text } = describeVerdict(verdict, now);
  if (verdict.status === "valid") {
    return ["signature", "audience", "times", "revocation"].map((name) => ({
      name,
      outcome: "pass",
      words: "good",
    }));
  }
  const outcome = verdict.status === "invalid" ? "fail" : "unknown";
  const name = verdict.status === "invalid" ? (failedStep[verdict.reason] ?? "claims") : "decision";
  return [{ name, outcome, words: text }];
}

const failedStep: Readonly<Record<string, string>> = {
  bad_signature: "signature",
  wrong_audience: "audience",
  expired: "times",
  not_yet_valid: "times",
  revoked: "revocation",
  wrong_algorithm: "signature",
};

function readTimes(claims: JwtClaims, now: number): Explanation["times"] {
  return (["iat", "auth_time", "nbf", "exp"] as const).flatMap((claim) => {
    const seconds = claims[claim];
    if (typeof seconds !== "number" || !Number.isFinite(seconds)) return [];
    const at = seconds * 1_000;
    const away = durationWords(Math.abs(at - now));
    return [{ claim, at, words: at <= now ? `${away} ago` : `in ${away}` }];
  });
}
