import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { introspection } from "../../../src/guard/authority/introspection.ts";
import { createGuard } from "../../../src/guard/create-guard.ts";
import { jwks } from "../../../src/guard/keys/jwks.ts";
import { httpRevocations } from "../../../src/guard/revocations/http-feed.ts";
import type { Guard } from "../../../src/guard/types.ts";
import { claimsOf, logIn } from "../fixture.ts";
import { CLIENT_ID, CLIENT_SECRET, startIssuer, type ListeningIssuer } from "./start-issuer.ts";

/** A guard that knows only the URL of the issuer and its own client credentials. */
async function startGuard(t: TestContext, authority: boolean): Promise<ListeningIssuer & { guard: Guard }> {
  const started = await startIssuer(t);
  const { url } = started;
  const client = { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET };
  const guard = createGuard({
    issuer: url,
    audience: "https://api.example.com",
    keys: jwks(`${url}/.well-known/jwks.json`),
    revocations: httpRevocations({ ...client, url: `${url}/auth/revocations` }),
    // Too rare for the test, so only the long poll can deliver a revocation.
    revocationPollMs: 60_000,
    ...(authority && {
      authority: introspection({ ...client, url: `${url}/oauth/introspect`, opaque: true }),
    }),
  });
  t.after(async () => await guard.close());
  await guard.ready();
  return { ...started, guard };
}

test(
  "law 3: a guard without a store learns every kind of revocation from the log",
  { timeout: 20_000 },
  async (t) => {
    const { guard, issuer } = await startGuard(t, false);
    const refused = async (token: string) => {
      while ((await guard.validate(token)).status === "valid") await new Promise(setImmediate);
      assert.deepEqual(await guard.validate(token), { status: "invalid", reason: "revoked" });
    };
    for (const kind of ["token", "session", "subject", "key"] as const) {
      const { access_token } = await logIn(issuer);
      assert.equal((await guard.validate(access_token)).status, "valid");
      const { jti, sid, sub } = claimsOf(access_token);
      const signing = (await issuer.keys.list()).find(
        ({ activatedAt, retiredAt }) => activatedAt && !retiredAt,
      );
      const id = { token: jti, session: sid, subject: sub, key: signing?.kid }[kind];
      await issuer.revoke({ kind, id: String(id) });
      await refused(access_token);
    }
  },
);

test("a guard that introspects accepts access tokens and rejects refresh tokens", async (t) => {
  const { guard, issuer } = await startGuard(t, true);
  const { access_token, refresh_token } = await logIn(issuer);
  const verdict = await guard.validate(access_token);
  assert.ok(verdict.status === "valid");
  assert.deepEqual([verdict.basis, verdict.subject, verdict.scopes], ["authority", "ann", ["orders:read"]]);
  assert.equal((await guard.validate(refresh_token)).status, "invalid");
});
