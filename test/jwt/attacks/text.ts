import type { Attack } from "./target.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const attack = (name: string, text: NonNullable<Attack["text"]>): Attack => ({
  name,
  part: "text",
  reasons: ["malformed"],
  text,
});

/** Encodes the same bytes with the `pick`th alternative last character. `null` when the part has fewer alternatives. */
function respell(token: string, part: number, pick: number): string | null {
  const parts = token.split(".");
  const text = parts[part] as string;
  const bytes = Buffer.from(text, "base64url");
  const others = alphabet
    .split("")
    .map((last) => text.slice(0, -1) + last)
    .filter((other) => other !== text && Buffer.from(other, "base64url").equals(bytes));
  const other = others[pick];
  return other === undefined ? null : parts.with(part, other).join(".");
}

const spellings: Attack[] = Array.from({ length: 15 }, (_, pick) =>
  attack(`§2.1 other spelling ${pick + 1} of the signature`, (token) => respell(token, 2, pick)),
);

const changes: Readonly<Record<string, (header: string, payload: string, signature: string) => string>> = {
  "§2.1 the signature left out": (h, p) => `${h}.${p}.`,
  "§2.1 the last part left out": (h, p) => `${h}.${p}`,
  "§2.1 the payload left out": (h, _, s) => `${h}..${s}`,
  "§2.1 the header left out": (_, p, s) => `.${p}.${s}`,
  "§2.1 the header alone": (h) => h,
  "§2.1 only dots": () => "..",
  "§2.1 nothing": () => "",
  "§2.1 a part more": (h, p, s) => `${h}.${p}.${s}.${s}`,
  "§2.3 the five parts of an encrypted token": (h, p, s) => `${h}.${p}.${s}.${s}.${s}`,
  "§2.1 a dot more": (h, p, s) => `${h}.${p}.${s}.`,
  "§2.1 padding": (h, p, s) => `${h}.${p}.${s}=`,
  "§2.1 padding of the payload": (h, p, s) => `${h}.${p}=.${s}`,
  "§2.1 padding of the header": (h, p, s) => `${h}==.${p}.${s}`,
  "§2.1 the alphabet of base64": (h, p, s) => `${h}.${p}.+${s.slice(1)}`,
  "§2.1 the other letter of that alphabet": (h, p, s) => `${h}.${p}./${s.slice(1)}`,
  "§2.1 a space before": (h, p, s) => ` ${h}.${p}.${s}`,
  "§2.1 a newline after": (h, p, s) => `${h}.${p}.${s}\n`,
  "§2.1 a line break within": (h, p, s) => `${h}.${p.slice(0, 8)}\r\n${p.slice(8)}.${s}`,
  "§2.1 a NUL after": (h, p, s) => `${h}.${p}.${s}\0`,
  "§2.1 the scheme in front": (h, p, s) => `Bearer ${h}.${p}.${s}`,
  "§2.1 wide dots": (h, p, s) => `${h}\uff0e${p}\uff0e${s}`,
  "§2.1 escaped dots": (h, p, s) => `${h}%2e${p}%2e${s}`,
  "§2.1 a wide last letter": (h, p, s) =>
    `${h}.${p}.${s.slice(0, -1)}${String.fromCharCode(s.charCodeAt(s.length - 1) + 256)}`,
  "§2.1 the JSON serialization": (h, payload, signature) =>
    JSON.stringify({ protected: h, payload, signature }),
  "§2.1 the general JSON serialization": (h, payload, signature) =>
    JSON.stringify({ payload, signatures: [{ protected: h, signature }] }),
};

export const textAttacks: readonly Attack[] = [
  ...spellings,
  attack("§2.1 another spelling of the payload", (token) => respell(token, 1, 0)),
  attack("§2.1 another spelling of the header", (token) => respell(token, 0, 0)),
  ...Object.entries(changes).map(([name, change]) =>
    attack(name, (token) => {
      const [header = "", payload = "", signature = ""] = token.split(".");
      return change(header, payload, signature);
    }),
  ),
];
