import type { InvalidReason } from "../../../src/core/verdict.ts";
import { oddBytes, replaceIn } from "./bytes.ts";
import { audience, issuer, type Attack, type Draft } from "./target.ts";

type Odd = readonly [name: string, value: unknown, reason: InvalidReason];

const far = 4_000_000_000;
const types: readonly unknown[] = [null, true, {}, [1]];
const wrongStrings = (name: string): Odd[] => [...types, 5].map((value) => [name, value, "invalid_claim"]);
/** `null` counts as absent in these claims, as the serializers of several languages write it. */
const wrongOptionalStrings = (name: string): Odd[] =>
  wrongStrings(name).filter(([, value]) => value !== null);
const wrongDates = (name: string): Odd[] =>
  [...types, "2000000000", "", -1, 1e308, 8_640_000_000_001].map((value) => [name, value, "invalid_claim"]);

/** Claims in tokens that the issuer signed: for another audience or time, or without meaning. */
const odd: readonly (readonly [section: string, list: readonly Odd[]])[] = [
  [
    "§3.8",
    [
      ["iss", undefined, "missing_claim"],
      ...["", `${issuer}/`, issuer.toUpperCase(), `${issuer}\0`, "https://evil.example.com"].map(
        (iss): Odd => ["iss", iss, "wrong_issuer"],
      ),
      ["iss", [issuer], "invalid_claim"],
      ...wrongStrings("iss"),
      ["sub", undefined, "missing_claim"],
      ["sub", "", "missing_claim"],
      ...wrongStrings("sub"),
    ],
  ],
  [
    "§3.9",
    [
      ["aud", undefined, "missing_claim"],
      ["aud", [], "wrong_audience"],
      ...[
        "",
        `${audience}/`,
        audience.slice(0, -1),
        audience.toUpperCase(),
        `${audience},x`,
        `x ${audience}`,
      ].map((aud): Odd => ["aud", aud, "wrong_audience"]),
      ["aud", ["https://other.example.com"], "wrong_audience"],
      ["aud", [audience, 1], "invalid_claim"],
      ["aud", [[audience]], "invalid_claim"],
      ["aud", { 0: audience, length: 1 }, "invalid_claim"],
      ...wrongStrings("aud"),
    ],
  ],
  [
    "§3.10",
    [
      ["exp", undefined, "missing_claim"],
      ["exp", 0, "expired"],
      ["exp", 1_000_000_000.5, "expired"],
      ...wrongDates("exp"),
      ["nbf", far, "not_yet_valid"],
      ...wrongDates("nbf"),
      ...wrongDates("iat"),
      ...wrongOptionalStrings("jti"),
      ...wrongOptionalStrings("sid"),
      ...wrongOptionalStrings("scope"),
    ],
  ],
  ["§3.12", [["cnf", { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }, "sender_constrained"]]],
];

const attack = (name: string, reason: InvalidReason, change: (payload: Buffer) => Buffer): Attack => ({
  name,
  part: "claims",
  reasons: [reason],
  draft: (good): Draft => ({ ...good, payload: change(good.payload) }),
});

export const claimsAttacks: readonly Attack[] = [
  ...odd.flatMap(([section, list]) =>
    list.map(([name, value, reason]) =>
      attack(`${section} ${name} ${JSON.stringify(value)}`, reason, (payload) =>
        replaceIn(payload, { [name]: value }),
      ),
    ),
  ),
  ...oddBytes.map(({ name, change }) => attack(`${name}, in the claims`, "malformed", change)),
];
