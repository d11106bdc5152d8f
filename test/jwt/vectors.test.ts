import assert from "node:assert/strict";
import { createPrivateKey, type KeyObject } from "node:crypto";
import { test } from "node:test";
import type { InvalidReason } from "../../src/core/verdict.ts";
import type { Algorithm } from "../../src/jwt/algorithms.ts";
import { importJwkSet, importSecret } from "../../src/jwt/jwk-set.ts";
import { parseToken } from "../../src/jwt/parse.ts";
import { signBytes } from "../../src/jwt/sign.ts";
import { verifySignature } from "../../src/jwt/signature.ts";

/** An example of an RFC. `json` is true when the payload is a claims set. */
interface Vector {
  readonly source: string;
  readonly algorithm: Algorithm;
  readonly jwk: Record<string, string>;
  readonly input: string;
  readonly signature: string;
  readonly json: boolean;
}

const joe = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const frodo =
  "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9h" +
  "ZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3" +
  "ZXB0IG9mZiB0by4";
const bilbo = {
  kty: "RSA",
  kid: "bilbo.baggins@hobbiton.example",
  use: "sig",
  n:
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKr" +
    "Kb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5l" +
    "FHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__" +
    "kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
  e: "AQAB",
};

/** RFC 7520, 3.1 and 3.5. */
const bilboEc = {
  kty: "EC",
  crv: "P-521",
  x: "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
  y: "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",
};
const shared = { k: "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg" };

const vectors: readonly Vector[] = [
  {
    source: "RFC 7515, A.1",
    algorithm: "HS256",
    jwk: { k: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" },
    input: `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${joe}`,
    signature: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    json: true,
  },
  {
    source: "RFC 7515, A.2",
    algorithm: "RS256",
    jwk: {
      kty: "RSA",
      n:
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR" +
        "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB" +
        "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia" +
        "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
      e: "AQAB",
    },
    input: `eyJhbGciOiJSUzI1NiJ9.${joe}`,
    signature:
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb" +
      "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383" +
      "LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy" +
      "wlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    json: true,
  },
  {
    source: "RFC 7515, A.3",
    algorithm: "ES256",
    jwk: {
      kty: "EC",
      crv: "P-256",
      x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    },
    input: `eyJhbGciOiJFUzI1NiJ9.${joe}`,
    signature: "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    json: true,
  },
  {
    source: "RFC 7515, A.4",
    algorithm: "ES512",
    jwk: {
      kty: "EC",
      crv: "P-521",
      x: "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
      y: "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
    },
    input: "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
    signature:
      "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgo" +
      "XD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
    json: false,
  },
  {
    source: "RFC 7520, 4.1",
    algorithm: "RS256",
    jwk: bilbo,
    input: `eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${frodo}`,
    signature:
      "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB" +
      "-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxn" +
      "t8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcI" +
      "e8u9ipH84ogoree7vjbU5y18kDquDg",
    json: false,
  },
  {
    source: "RFC 7520, 4.2",
    algorithm: "PS384",
    jwk: bilbo,
    input: `eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${frodo}`,
    signature:
      "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6" +
      "_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3" +
      "lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6G" +
      "YmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
    json: false,
  },
  {
    source: "RFC 7520, 4.3",
    algorithm: "ES512",
    jwk: bilboEc,
    input: `eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${frodo}`,
    signature:
      "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDy" +
      "YjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2",
    json: false,
  },
  {
    source: "RFC 7520, 4.4",
    algorithm: "HS256",
    jwk: shared,
    input: `eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.${frodo}`,
    signature: "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
    json: false,
  },
  {
    source: "RFC 7520, 4.6, made for the JSON serialization",
    algorithm: "HS256",
    jwk: shared,
    input: `eyJhbGciOiJIUzI1NiJ9.${frodo}`,
    signature: "bWUSVaxorn7bEF1djytBd0kHv70Ly5pvbomzMWSOr20",
    json: false,
  },
  {
    source: "RFC 7520, 4.7, without a protected header",
    algorithm: "HS256",
    jwk: shared,
    input: `.${frodo}`,
    signature: "xuLifqLGiblpv9zBpuZczWhNj1gARaLV3UxvxhJxZuk",
    json: false,
  },
  {
    source: "RFC 7520, 4.8, the first of three signatures",
    algorithm: "RS256",
    jwk: bilbo,
    input: `eyJhbGciOiJSUzI1NiJ9.${frodo}`,
    signature:
      "MIsjqtVlOpa71KE-Mss8_Nq2YH4FGhiocsqrgi5NvyG53uoimic1tcMdSg-qptrzZc7CG6Svw2Y13TDIqHzTUrL_lR2ZFcryNFiHkSw1" +
      "29EghGpwkpxaTn_THJTCglNbADko1MZBCdwzJxwqZc-1RlpO2HibUYyXSwO97BSe0_evZKdjvvKSgsIqjytKSeAMbhMBdMma622_BG5t" +
      "4sdbuCHtFjp9iJmkio47AIwqkZV1aIZsv33uPUqBBCXbYoQJwt7mxPftHmNlGoOSMxR_3thmXTCm4US-xiNOyhbm8afKK64jU6_TPtQH" +
      "iJeQJxz9G3Tx-083B745_AfYOnlC9w",
    json: false,
  },
  {
    source: "RFC 7520, 4.8, the second of three signatures",
    algorithm: "ES512",
    jwk: bilboEc,
    input: `.${frodo}`,
    signature:
      "ARcVLnaJJaUWG8fG-8t5BREVAuTY8n8YHjwDO1muhcdCoFZFFjfISu0Cdkn9Ybdlmi54ho0x924DUz8sK7ZXkhc7AFM8ObLfTvNCrqcI" +
      "3Jkl2U5IX3utNhODH6v7xgy1Qahsn0fyb4zSAkje8bAWz4vIfj5pCMYxxm4fgV3q7ZYhm5eD",
    json: false,
  },
  {
    source: "RFC 8037, A.4 and A.5",
    algorithm: "EdDSA",
    jwk: { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
    input: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
    signature: "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    json: false,
  },
];

function keyOf({ jwk, algorithm }: Vector) {
  if (jwk["k"] !== undefined) return importSecret(Buffer.from(jwk["k"], "base64url"), algorithm);
  const { keys, rejected } = importJwkSet({ keys: [jwk] }, { algorithms: [algorithm] });
  assert.deepEqual(rejected, []);
  assert.ok(keys[0]);
  return keys[0];
}

for (const vector of vectors) {
  const { source, algorithm, input, signature, json } = vector;
  test(`the example of ${source} (${algorithm}) verifies, and no changed copy of it does`, () => {
    const key = keyOf(vector);
    const token = { algorithm, signingInput: input, signature: Buffer.from(signature, "base64url") };
    assert.equal(verifySignature(token, key), true);
    for (const at of [0, 1, 30, token.signature.length - 1]) {
      const changed = Buffer.from(token.signature);
      changed[at] = (changed[at] as number) ^ 1;
      assert.equal(verifySignature({ ...token, signature: changed }, key), false);
    }
    assert.equal(verifySignature({ ...token, signingInput: `${input}A` }, key), false);
    const parsed = parseToken(`${input}.${signature}`);
    if (json) assert.equal("claims" in parsed && parsed.claims.iss, "joe");
    else assert.deepEqual(parsed, { reason: "malformed" });
  });
}

test("the deterministic algorithms make the signatures of the RFCs", () => {
  const made = (vector: Vector, key: KeyObject) => signBytes(vector.algorithm, key, vector.input);
  for (const vector of vectors.filter(({ algorithm }) => algorithm === "HS256")) {
    assert.equal(made(vector, keyOf(vector).key).toString("base64url"), vector.signature);
  }
  const edwards = vectors.find(({ algorithm }) => algorithm === "EdDSA");
  assert.ok(edwards);
  const jwk = { ...edwards.jwk, d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" };
  const key = createPrivateKey({ key: jwk, format: "jwk" });
  assert.equal(made(edwards, key).toString("base64url"), edwards.signature);
});

test("the examples that must fail are rejected", () => {
  const detached = vectors.find(({ source }) => source === "RFC 7520, 4.4");
  assert.ok(detached);
  const [header = ""] = detached.input.split(".");
  const rejected: [source: string, token: string, reason: InvalidReason][] = [
    ["RFC 7515, A.5: none", `eyJhbGciOiJub25lIn0.${joe}.`, "wrong_algorithm"],
    ["RFC 7515, A.5, with a signature", `eyJhbGciOiJub25lIn0.${joe}.AA`, "wrong_algorithm"],
    ["RFC 7520, 4.5: the payload detached", `${header}..${detached.signature}`, "malformed"],
    [
      "RFC 7515, E: an unknown critical extension",
      "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNv" +
        "bS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.",
      "wrong_algorithm",
    ],
  ];
  for (const [source, token, reason] of rejected) assert.deepEqual(parseToken(token), { reason }, source);
});
