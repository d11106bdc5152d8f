import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { localFiles } from "../../src/server/store/local-store.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, post, refresh, measureUntil, verify } from "../support/auth-calls.ts";
import { startService, type ServiceProcess } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";

async function running(t: TestContext): Promise<{ data: string; service: ServiceProcess }> {
  const data = await temporaryDataDir();
  const service = await startService(data);
  t.after(async () => await service.stop());
  return { data, service };
}

const DEADLINE_MS = 5000;

test("user add, list and passwd work on the data of a running service", async (t) => {
  const { data, service } = await running(t);
  const signIn = async (username: string, password: string) =>
    (await post(service.url, "/auth/login", { username, password })).status;

  const added = await runHoldfast(["user", "add", "bob", "--scope", "a", "--scope", "b"], {
    data,
    input: "first password\n",
  });
  assert.deepEqual(added, { code: 0, out: "added bob\n", err: "" });
  assert.equal(await signIn("bob", "first password"), 200);

  const twice = await runHoldfast(["user", "add", "bob"], { data, input: "other password" });
  assert.equal(twice.code, 1);
  assert.match(twice.err, /there is a user bob already/);
  assert.equal((await runHoldfast(["user", "add", "carol"], { data, input: "short" })).code, 1);

  const { out } = await runHoldfast(["user", "list"], { data });
  assert.deepEqual(
    out
      .trim()
      .split("\n")
      .map((line) => line.split("\t").toSpliced(1, 1)),
    [
      ["alice", "holdfast:admin", "enabled"],
      ["bob", "a b", "enabled"],
    ],
  );

  const changed = await runHoldfast(["user", "passwd", "bob"], { data, input: "second password\n" });
  assert.equal(changed.code, 0, changed.err);
  assert.equal(await signIn("bob", "first password"), 401);
  assert.equal(await signIn("bob", "second password"), 200);
  assert.equal((await runHoldfast(["user", "passwd", "dave"], { data, input: "some password" })).code, 1);
});

test("law 3: a running service refuses tokens that the command line revoked", async (t) => {
  const { data, service } = await running(t);
  const refused = async (token: string) =>
    await measureUntil(async () => (await verify(service.url, token)) === 401, DEADLINE_MS);

  const session = await login(service.url);
  const others = await login(service.url);
  const one = await runHoldfast(["revoke", "--session", session.session_id], { data });
  assert.equal(one.code, 0, one.err);
  assert.ok((await refused(session.access_token)) < DEADLINE_MS);
  assert.equal((await refresh(service.url, session.refresh_token)).status, 400);
  assert.equal(await verify(service.url, others.access_token), 200);

  const { jti } = JSON.parse(atob(others.access_token.split(".")[1] ?? "")) as { jti: string };
  assert.equal((await runHoldfast(["revoke", "--token-id", jti], { data })).code, 0);
  assert.ok((await refused(others.access_token)) < DEADLINE_MS);

  const last = await login(service.url);
  assert.equal((await runHoldfast(["revoke", "--user", "alice"], { data })).code, 0);
  assert.ok((await refused(last.access_token)) < DEADLINE_MS);
  assert.equal((await runHoldfast(["revoke", "--user", "nobody"], { data })).code, 1);
});

test("keys list shows and keys rotate changes the signing key, and earlier tokens stay valid until the key is revoked", async (t) => {
  const { data, service } = await running(t);
  const before = await login(service.url);
  const states = async () =>
    (await runHoldfast(["keys", "list"], { data })).out
      .trim()
      .split("\n")
      .map((line) => line.split("\t"));
  const [signing, next] = await states();
  assert.deepEqual([signing?.[3], next?.[3]], ["signs", "published, signs next"]);
  const rotated = await runHoldfast(["keys", "rotate"], { data });
  assert.deepEqual([rotated.code, rotated.out], [0, `signs now: ${next?.[0]}\n`]);
  assert.deepEqual(
    (await states()).map((row) => row[3]?.replace(/\d+ s/, "… s")),
    ["retired … s ago", "signs", "published, signs next"],
  );
  assert.equal(await verify(service.url, before.access_token), 200);
  assert.equal((await runHoldfast(["revoke", "--key", signing?.[0] ?? ""], { data })).code, 0);
  const gone = await measureUntil(
    async () => (await verify(service.url, before.access_token)) === 401,
    DEADLINE_MS,
  );
  assert.ok(gone < DEADLINE_MS);
  assert.equal((await runHoldfast(["revoke", "--key", next?.[0] ?? ""], { data })).code, 0);
  const goesOn = async () => (await verify(service.url, (await login(service.url)).access_token)) === 200;
  assert.ok(
    (await measureUntil(goesOn, DEADLINE_MS)) < DEADLINE_MS,
    "the service signs with a key that was not revoked",
  );
});

test("token inspect decodes a token and explains its verdict, without its signature", async (t) => {
  const { data, service } = await running(t);
  const tokens = await login(service.url);
  const [header = "", claims = "", signature = ""] = tokens.access_token.split(".");
  const good = await runHoldfast(["token", "inspect"], { data, input: `${tokens.access_token}\n` });
  assert.equal(good.code, 0, good.err);
  assert.match(good.out, /"alg": "ES256"/);
  assert.match(good.out, /expires {3,}\d{4}-.*, in \d+ minutes/);
  assert.match(good.out, /^valid: subject ".+", scopes "holdfast:admin", session ".+"$/m);
  assert.ok(!good.out.includes(signature));

  const forged = `${header}.${claims}.${"A".repeat(86)}`;
  const bad = await runHoldfast(["token", "inspect", forged], { data });
  assert.equal(bad.code, 1);
  assert.match(bad.out, /^invalid \(bad_signature\): its signature is not by this service's key/m);

  await post(service.url, "/auth/logout", { refresh_token: tokens.refresh_token });
  const ended = await runHoldfast(["token", "inspect"], { data, input: tokens.access_token });
  assert.match(ended.out, /^invalid \(revoked\): it was revoked/m);

  const steering = `${btoa('{"alg":"\\u001b[2J"}')}.x.x`;
  const odd = await runHoldfast(["token", "inspect"], { data, input: steering });
  assert.match(odd.out, /claims cannot be read\ninvalid \(malformed\)/);
  assert.ok(!odd.out.includes("\u001b"));
});

test("token inspect says which audience a token has, and which the service accepts", async (t) => {
  const { data, service } = await running(t);
  const { access_token: token } = await login(service.url);
  await service.stop();
  const renamed = await startService(data, { HOLDFAST_AUDIENCE: "https://api.example.com" });
  t.after(async () => await renamed.stop());
  const { code, out } = await runHoldfast(["token", "inspect", token], { data });
  assert.equal(code, 1);
  const facts = /; aud is "http:\/\/holdfast\.test", accepted: "https:\/\/api\.example\.com"$/m;
  assert.match(out, facts);
});

test("law 3: a command reads revocations from the store, and does not change the snapshots of the service", async (t) => {
  const { data, service } = await running(t);
  const { access_token: token, session_id: session } = await login(service.url);
  await service.stop();
  const folder = localFiles(data).snapshots;
  const kept = () => readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), "utf8")]);
  const before = kept();
  assert.notEqual(before.length, 0);
  assert.equal((await runHoldfast(["revoke", "--session", session], { data })).code, 0);
  assert.match(
    (await runHoldfast(["token", "inspect"], { data, input: token })).out,
    /^invalid \(revoked\)/m,
  );
  assert.deepEqual(kept(), before);
});

test("an id that the store does not have ends nothing and leaves no event, unless --force is given", async (t) => {
  const { data } = await running(t);
  const events = async () => (await runHoldfast(["audit", "--json"], { data })).out;
  const before = await events();
  const commands = [
    ["session", ["revoke", "--session"], "ended"],
    ["key", ["revoke", "--key"], "revoked"],
    ["session", ["session", "end"], "ended"],
  ] as const;
  for (const [what, command, done] of commands) {
    const { code, out, err } = await runHoldfast([...command, "nope"], { data });
    assert.deepEqual([code, out], [1, ""]);
    assert.match(err, new RegExp(`^holdfast: there is no ${what} nope: nothing was ${done}; --force `));
  }
  const secret = await runHoldfast(["session", "end", "x".repeat(200)], { data });
  assert.deepEqual(
    [secret.code, secret.err.includes("xxx")],
    [1, false],
    "a text that may be a token is not printed",
  );
  assert.equal(await events(), before);

  for (const [what, command] of commands) {
    if (what === "session") {
      const refused = await runHoldfast([...command, "nope", "--force"], { data });
      assert.deepEqual([refused.code, refused.out], [1, ""]);
      assert.match(refused.err, /--force takes a session id, which has 32 hexadecimal digits/);
    }
    const id = what === "session" ? "0123456789abcdef".repeat(2) : "nope";
    const { code, out } = await runHoldfast([...command, id, "--force"], { data });
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^(?:revoked|ended) ${what} ${id}\n$`));
  }
  const made = (await events()).trimEnd().split("\n").slice(0, commands.length);
  assert.ok(
    made.every((line) => line.includes('"actor":"command line"')),
    made.join("\n"),
  );
});

test("law 3: the digest of a log line ends the session of this line", async (t) => {
  const { data, service } = await running(t);
  for (const command of [
    ["revoke", "--session"],
    ["session", "end"],
  ]) {
    const session = await login(service.url);
    const digest = [...service.output().matchAll(/"holdfast\.session":"(\w+)"/g)].at(-1)?.[1] ?? "";
    const { code, out, err } = await runHoldfast([...command, digest], { data });
    assert.equal(code, 0, err);
    assert.match(out, new RegExp(`session ${session.session_id}\n$`));
    const refused = async () => (await verify(service.url, session.access_token)) === 401;
    assert.ok((await measureUntil(refused, DEADLINE_MS)) < DEADLINE_MS);
    assert.equal((await runHoldfast([...command, digest], { data })).code, 0, "it can be ended again");
  }
});
