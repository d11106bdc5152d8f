import { isRecord } from "../../core/json.ts";
import { REFRESH_TOKEN_PREFIX } from "../../core/refresh-token-prefix.ts";
import { isAlgorithm } from "../../jwt/algorithms.ts";
import { parseToken, type ParsedToken } from "../../jwt/parse.ts";
import { fail, ok, warn, type Finding } from "../finding.ts";

/** The default of `maxTokenBytes`. */
const MAX_BYTES = 16_384;
const ENCRYPTED_PARTS = 5;

/** The kind of a text. `findings` say what is unusual about it. */
export type ReadToken =
  | { readonly kind: "jwt"; readonly token: ParsedToken; readonly text: string; readonly findings: Finding[] }
  | { readonly kind: "opaque"; readonly text: string; readonly findings: Finding[] }
  | { readonly kind: "unusable"; readonly findings: Finding[] };

/** Reads the token in a text as people copy it: with `Bearer` before it, in quotation marks, with line breaks. */
export function readToken(input: string): ReadToken {
  const findings: Finding[] = [];
  let text = input.trim();
  const member = text.startsWith("{") ? readAccessToken(text) : null;
  if (member !== null) {
    findings.push(ok("the token was taken out of access_token of a JSON answer"));
    text = member.trim();
  }
  const wrapped = /^(?:authorization: *)?(?:bearer +)?(["']?)([^]*)\1$/i.exec(text)?.[2] ?? text;
  if (wrapped !== text) findings.push(ok("the token was taken out of a header or of quotation marks"));
  text = wrapped.trim();
  if (/\s/.test(text)) {
    findings.push(
      warn("the text has blanks or line breaks in it, which were left out", "send the token in one piece"),
    );
    text = text.replaceAll(/\s+/g, "");
  }
  if (text === "") {
    return { kind: "unusable", findings: [fail("there is no token", "give the token on standard input")] };
  }
  if (text.length > MAX_BYTES) {
    const advice = "ask the provider for fewer claims, such as groups by reference, or raise maxTokenBytes";
    findings.push(fail(`the token has ${text.length} bytes, and a guard takes ${MAX_BYTES}`, advice));
  }
  if (text.startsWith(REFRESH_TOKEN_PREFIX)) {
    findings.push(fail("this is a refresh token of Holdfast", "send the access token that came with it"));
    return { kind: "unusable", findings };
  }
  const parsed = parseToken(text);
  if (!("reason" in parsed)) return { kind: "jwt", token: parsed, text, findings };
  const problem = explainForm(text);
  if (problem === null) return { kind: "opaque", text, findings };
  return { kind: "unusable", findings: [...findings, problem] };
}

/** Returns `access_token` of the answer to a login. `null` when the text is another one. */
function readAccessToken(text: string): string | null {
  try {
    const answer: unknown = JSON.parse(text);
    const token = isRecord(answer) ? answer["access_token"] : null;
    return typeof token === "string" ? token : null;
  } catch {
    return null;
  }
}

/** Says why a text is not a token that a guard reads. `null` when it may be an opaque token. */
function explainForm(text: string): Finding | null {
  const parts = text.split(".");
  const header = decodeJson(parts[0] ?? "");
  if (parts.length === ENCRYPTED_PARTS && header !== null) {
    const advice =
      "ask the provider for signed tokens; Auth0 signs them when the client requests an audience";
    return fail("this is an encrypted token (JWE), which only its audience can read", advice);
  }
  if (parts.length !== 3 || (header === null && !text.startsWith("e"))) return null;
  if (header === null) return fail("the header of the token is damaged", "copy it again, as a whole");
  const { alg, crit } = header;
  if (alg === "none" || parts[2] === "") {
    return fail("the token has no signature: anybody can write one", "ask the provider for signed tokens");
  }
  if (typeof alg === "string" && !isAlgorithm(alg)) {
    return fail(
      `the token is signed with ${alg}, which no guard accepts`,
      "let the provider sign with ES256 or RS256",
    );
  }
  if (crit !== undefined) {
    return fail(
      "the header requires extensions (crit) that no guard knows",
      "ask the provider for tokens without them",
    );
  }
  if (decodeJson(parts[1] ?? "") === null) {
    return fail("the claims of the token are damaged, or no JSON object", "copy it again, as a whole");
  }
  return fail(
    "the token is not strictly formed: its end may be cut, a claim may stand in it twice or have a wrong type",
    "copy it again; if it stays so, the provider makes wrong tokens",
  );
}

function decodeJson(part: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
