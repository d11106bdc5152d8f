import { supportedAlgorithms } from "../../../src/jwt/algorithms.ts";
import type { InvalidReason } from "../../../src/core/verdict.ts";
import { oddBytes, replaceIn } from "./bytes.ts";
import type { Attack, Draft, Target } from "./target.ts";

type Change = (header: Buffer, target: Target) => Buffer | null;

function attack(name: string, reason: InvalidReason, change: Change): Attack {
  const draft = (good: Draft, target: Target): Draft | null => {
    const header = change(good.header, target);
    return header === null ? null : { ...good, header };
  };
  return { name, part: "header", reasons: [reason], draft };
}

/** Values of `alg` that help an attacker. The issuer's key signs, so that only the name is wrong. */
const names: Attack[] = [
  ...["none", "None", "NONE", "nOnE", "", " ", "RSA1_5", "RS1", "ES256K", "A128KW", "dir", "toString"].map(
    (alg) => attack(`§3.1 alg "${alg}"`, "wrong_algorithm", (header) => replaceIn(header, { alg })),
  ),
  attack("§3.1 alg in lower case", "wrong_algorithm", (header, { algorithm }) =>
    replaceIn(header, { alg: algorithm.toLowerCase() }),
  ),
  attack("§3.1 alg with a space", "wrong_algorithm", (header, { algorithm }) =>
    replaceIn(header, { alg: `${algorithm} ` }),
  ),
  ...supportedAlgorithms.map((alg) =>
    attack(`§3.1 alg of another kind of key: ${alg}`, "wrong_algorithm", (header, { algorithm }) =>
      alg === algorithm ? null : replaceIn(header, { alg }),
    ),
  ),
  ...[undefined, null, 1, true, [], ["ES256"], {}].map((alg) =>
    attack(`§3.1 alg ${JSON.stringify(alg)}`, "malformed", (header) => replaceIn(header, { alg })),
  ),
];

const twice: Attack[] = [
  ['"alg":"none",', "before"],
  [String.raw`"\u0061lg":"none",`, "before, escaped"],
].map(([member, where]) =>
  attack(`§2.6 alg twice, ${where}`, "malformed", (header) =>
    Buffer.from(`{${member}${header.toString().slice(1)}`),
  ),
);

const members: Attack[] = [
  ...[["exp"], [], ["b64"], ["alg"], "exp", null].map((crit) =>
    attack(`§3.3 crit ${JSON.stringify(crit)}`, "unknown_critical", (header) =>
      replaceIn(header, { crit, b64: undefined }),
    ),
  ),
  attack("§3.3 b64 false, critical", "unknown_critical", (header) =>
    replaceIn(header, { crit: ["b64"], b64: false }),
  ),
  ...[false, true, null].map((b64) =>
    attack(`§3.3 b64 ${b64}, not critical`, "unknown_critical", (header) => replaceIn(header, { b64 })),
  ),
  ...[
    "",
    "id_token+jwt",
    "dpop+jwt",
    "logout+jwt",
    "secevent+jwt",
    "jwt ",
    "jwe",
    "x/jwt",
    "application/x",
  ].map((typ) => attack(`§3.11 typ "${typ}"`, "wrong_type", (header) => replaceIn(header, { typ }))),
  ...[null, 1, ["at+jwt"], {}].map((typ) =>
    attack(`§3.11 typ ${JSON.stringify(typ)}`, "malformed", (header) => replaceIn(header, { typ })),
  ),
  ...[null, 1, ["k"], {}, false].map((kid) =>
    attack(`§3.10 kid ${JSON.stringify(kid)}`, "malformed", (header) => replaceIn(header, { kid })),
  ),
  attack("§3.10 __proto__ in the header", "malformed", (header) =>
    Buffer.from(`{"__proto__":{"alg":"none"},${header.toString().slice(1)}`),
  ),
];

export const headerAttacks: readonly Attack[] = [
  ...names,
  ...twice,
  ...members,
  ...oddBytes.map(({ name, change }) => attack(`${name}, in the header`, "malformed", change)),
];
