import type { GatewayPath } from "../gateway.ts";
import type { Facts } from "./facts.ts";
import type { RecordedOperation, RunHistory } from "./run-history.ts";
import { findWrongPass, findWrongRefusal } from "./verdict-checks.ts";
import type { Violation } from "./violation.ts";

const check = "the gateway decides";

/** The answer to a valid token, by the path. */
const passes: Readonly<Record<GatewayPath, number>> = {
  "/public/page": 200,
  "/orders/1": 200,
  "/fresh/1": 200,
  "/admin/1": 403,
  "/nowhere": 403,
};

/** The gateway lets nobody pass by a name of their own, follows its policy, and refuses with 401 only what is proven. */
export function checkGateway(facts: Facts, run: RunHistory): Violation[] {
  return facts.operations.flatMap((operation): Violation[] => {
    const { operation: kind, answer, ended, process } = operation;
    if (kind !== "verify" || answer === null) return [];
    const message = findWrongAnswer(operation, facts, run);
    return message === null ? [] : [{ check, at: ended, process, message }];
  });
}

function findWrongAnswer(operation: RecordedOperation, facts: Facts, run: RunHistory): string | null {
  const { call, answer } = operation;
  const status = answer?.["status"] as number;
  const path = call["path"] as GatewayPath;
  const subject = (answer?.["subject"] ?? "") as string;
  if (call["isSpoofed"] === true)
    return status === 400 ? null : `a client named its identity and got ${status}`;
  if (path === "/public/page") {
    return status === 200 && subject === ""
      ? null
      : `a public page was answered with ${status} for "${subject}"`;
  }
  if (path === "/nowhere") return status === 403 ? null : `a path without a rule was answered with ${status}`;
  return findWrongDecision(operation, facts, run);
}

/** The same for a path whose rule needs a token. */
function findWrongDecision(operation: RecordedOperation, facts: Facts, run: RunHistory): string | null {
  const { call, answer } = operation;
  const status = answer?.["status"] as number;
  const name = call["token"] as string | null;
  if (name === null) return status === 401 ? null : `a request without a token was answered with ${status}`;
  if (status === 503) return null;
  if (facts.forged.has(name)) return status === 401 ? null : `a forged token was answered with ${status}`;
  const token = facts.tokens.get(name);
  if (token === undefined) return null;
  if (status === 401) return findWrongRefusal(operation, token, facts, run);
  if (status !== passes[call["path"] as GatewayPath])
    return `${String(call["path"])} was answered with ${status}`;
  // The subject of a user of the store is another text than its name.
  const isNamed = facts.loginOf(token.session)?.operation === "login";
  const subject = answer?.["subject"];
  if (status === 200 && isNamed && subject !== encodeURIComponent(token.user)) {
    return `the token of ${token.user} passed as "${String(subject)}"`;
  }
  return findWrongPass(operation, token, facts, run);
}
