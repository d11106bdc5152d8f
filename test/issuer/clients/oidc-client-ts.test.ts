import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { InMemoryWebStorage, User, UserManager, WebStorageStateStore } from "oidc-client-ts";
import { claimsOf, logIn, validateAtIssuer } from "../fixture.ts";
import { startIssuer, type ListeningIssuer } from "./start-issuer.ts";

/*
 * The hostile client: it joins nothing. Each of its managers reads the one storage, sends the refresh token that it
 * found there, and writes back what it got, whenever that is.
 */

interface Tabs extends ListeningIssuer {
  readonly managers: readonly UserManager[];
  readonly session: string;
  /** What made any of them think that the user is gone. */
  readonly logouts: readonly string[];
}

async function tabs(
  t: TestContext,
  count: number,
  around?: Parameters<typeof startIssuer>[1],
): Promise<Tabs> {
  const world = await startIssuer(t, around);
  const tokens = await logIn(world.issuer);
  const store = new InMemoryWebStorage();
  const logouts: string[] = [];
  const managers = Array.from({ length: count }, () => {
    const manager = new UserManager({
      authority: world.url,
      metadataUrl: `${world.url}/.well-known/oauth-authorization-server`,
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
  const profile = { sub: "ann", iss: world.url, aud: "holdfast", iat: 0, exp: 0 };
  const expires_at = Math.floor(Date.now() / 1000) + expires_in;
  const user = { access_token, refresh_token, token_type: "Bearer", scope, profile, expires_at };
  await managers[0]?.storeUser(new User(user));
  return { ...world, managers, session: tokens.session_id, logouts };
}

/** Only when all have come, and the last one first. */
function together(count: number): <T>(what: T) => Promise<T> {
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

test("fault 43: twenty silent renewals at once, ten times over: nobody is logged out, and there is one live tip", async (t) => {
  const [atOnce, rounds] = [20, 10];
  const [requests, answers] = [together(atOnce), together(atOnce)];
  const { managers, issuer, store, session, logouts } = await tabs(t, 5, async (request, answer) => {
    if (!request.url.endsWith("/oauth/token")) return await answer();
    await requests(null);
    return await answers(await answer());
  });
  const seen = new Set<string | undefined>();
  for (let round = 1; round <= rounds; round++) {
    const renewals = Array.from({ length: atOnce }, async (_, i) => await managers[i % 5]?.signinSilent());
    const users = await Promise.all(renewals);
    const tips = new Set(users.map((user) => user?.refresh_token));
    assert.equal(tips.size, 1, "the same successor for all");
    for (const tip of tips) seen.add(tip);
  }
  assert.equal(seen.size, rounds);
  assert.equal((await store.sessions.get(session))?.generation, rounds + 1, "one rotation a round");
  assert.deepEqual(logouts, []);
  const user = await managers[3]?.getUser();
  assert.equal((await validateAtIssuer(issuer, user?.access_token ?? "")).valid, true);
  assert.equal(claimsOf(user?.access_token ?? "")["sid"], session);
  assert.equal((await issuer.refresh(user?.refresh_token ?? "")).status, "ok");
});

test("fault 45: a renewal that was overtaken twice is refused, costs nobody the session, and goes well when repeated", async (t) => {
  const held = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  let first = true;
  const { managers, issuer, logouts } = await tabs(t, 2, async (request, answer) => {
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

test("law 1: while the issuer is away a renewal fails, and the user stays logged in", async (t) => {
  let away = true;
  const { managers, logouts } = await tabs(t, 1, async (request, answer) => {
    if (away && request.url.endsWith("/oauth/token")) {
      return Response.json({ error: "temporarily_unavailable" }, { status: 503 });
    }
    return await answer();
  });
  const [manager] = managers as [UserManager];
  await assert.rejects(manager.signinSilent());
  assert.ok((await manager.getUser())?.refresh_token);
  away = false;
  assert.ok(await manager.signinSilent());
  assert.deepEqual(logouts, []);
});
