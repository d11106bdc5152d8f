import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { InMemoryWebStorage, User, UserManager, WebStorageStateStore } from "oidc-client-ts";
import { claimsOf, logIn, validateAtIssuer } from "../fixture.ts";
import { startIssuer, type ListeningIssuer } from "./start-issuer.ts";

/*
 * oidc-client-ts does not share concurrent renewals. Each manager reads the common storage, sends the refresh token that
 * it finds there and writes back the response whenever it arrives.
 */

interface Tabs extends ListeningIssuer {
  readonly managers: readonly UserManager[];
  readonly session: string;
  /** Events that a manager takes for the end of the session. */
  readonly logouts: readonly string[];
}

async function openTabs(
  t: TestContext,
  count: number,
  intercept?: Parameters<typeof startIssuer>[1],
): Promise<Tabs> {
  const started = await startIssuer(t, intercept);
  const tokens = await logIn(started.issuer);
  const store = new InMemoryWebStorage();
  const logouts: string[] = [];
  const managers = Array.from({ length: count }, () => {
    const manager = new UserManager({
      authority: started.url,
      metadataUrl: `${started.url}/.well-known/oauth-authorization-server`,
      client_id: "holdfast",
      redirect_uri: "https://app.example.com/",
      userStore: new WebStorageStateStore({ store }),
      stateStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
      automaticSilentRenew: false,
    });
    manager.events.addUserUnloaded(() => void logouts.push("unloaded"));
    manager.events.addUserSignedOut(() => void logouts.push("signed out"));
    manager.events.addSilentRenewError(() => void logouts.push("renewal failed"));
    t.after(async () => await manager.events.unload());
    return manager;
  });
  const { access_token, refresh_token, scope, expires_in } = tokens;
  const profile = { sub: "ann", iss: started.url, aud: "holdfast", iat: 0, exp: 0 };
  const expires_at = Math.floor(Date.now() / 1000) + expires_in;
  const user = { access_token, refresh_token, token_type: "Bearer", scope, profile, expires_at };
  await managers[0]?.storeUser(new User(user));
  return { ...started, managers, session: tokens.session_id, logouts };
}

/** Holds `count` calls back until all have arrived, then releases the last one first. */
function gather(count: number): <T>(what: T) => Promise<T> {
  let waiting: (() => void)[] = [];
  return async (what) => {
    await new Promise<void>((go) => {
      waiting.push(go);
      if (waiting.length < count) return;
      const all = waiting.toReversed();
      waiting = [];
      for (const each of all) each();
    });
    return what;
  };
}

test("fault 43: ten rounds of twenty concurrent silent renewals log no user out and leave one current refresh token", async (t) => {
  const [atOnce, rounds] = [20, 10];
  const [requests, answers] = [gather(atOnce), gather(atOnce)];
  const { managers, issuer, store, session, logouts } = await openTabs(t, 5, async (request, answer) => {
    if (!request.url.endsWith("/oauth/token")) return await answer();
    await requests(null);
    return await answers(await answer());
  });
  const seen = new Set<string | undefined>();
  for (let round = 1; round <= rounds; round++) {
    const renewals = Array.from({ length: atOnce }, async (_, i) => await managers[i % 5]?.signinSilent());
    const users = await Promise.all(renewals);
    const refreshTokens = new Set(users.map((user) => user?.refresh_token));
    assert.equal(refreshTokens.size, 1, "the same successor for all");
    for (const tip of refreshTokens) seen.add(tip);
  }
  assert.equal(seen.size, rounds);
  assert.equal((await store.sessions.get(session))?.generation, rounds + 1, "one rotation in each round");
  assert.deepEqual(logouts, []);
  const user = await managers[3]?.getUser();
  assert.equal((await validateAtIssuer(issuer, user?.access_token ?? "")).valid, true);
  assert.equal(claimsOf(user?.access_token ?? "")["sid"], session);
  assert.equal((await issuer.refresh(user?.refresh_token ?? "")).status, "ok");
});

test("fault 45: a renewal that two others overtook is refused, keeps the session and succeeds when repeated", async (t) => {
  const held = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  let first = true;
  const { managers, issuer, logouts } = await openTabs(t, 2, async (request, answer) => {
    if (first && request.url.endsWith("/oauth/token")) {
      first = false;
      arrived.resolve();
      await held.promise;
    }
    return await answer();
  });
  const [quick, slow] = managers as [UserManager, UserManager];
  const overtaken = slow.signinSilent();
  await arrived.promise;
  await quick.signinSilent();
  await quick.signinSilent();
  held.resolve();
  await assert.rejects(overtaken, { error: "refresh_conflict" });
  const user = await slow.signinSilent();
  assert.equal((await validateAtIssuer(issuer, user?.access_token ?? "")).valid, true);
  assert.deepEqual(logouts, []);
});

test("law 1: while the issuer is unavailable a renewal fails and the user stays logged in", async (t) => {
  let isDown = true;
  const { managers, logouts } = await openTabs(t, 1, async (request, answer) => {
    if (isDown && request.url.endsWith("/oauth/token")) {
      return Response.json({ error: "temporarily_unavailable" }, { status: 503 });
    }
    return await answer();
  });
  const [manager] = managers as [UserManager];
  await assert.rejects(manager.signinSilent());
  assert.ok((await manager.getUser())?.refresh_token);
  isDown = false;
  assert.ok(await manager.signinSilent());
  assert.deepEqual(logouts, []);
});
