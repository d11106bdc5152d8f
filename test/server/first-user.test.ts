import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { issuerEvents } from "../../src/core/event-channels.ts";
import type { IssuerEvent } from "../../src/core/events.ts";
import { ensureFirstUser } from "../../src/server/first-user.ts";
import { createFixture } from "../issuer/fixture.ts";
import { temporaryDataDir } from "./temporary-settings.ts";

/** Two instances that both see an empty store, although one of them has added the user. */
function createEarly(t: TestContext) {
  const { issuer, store } = createFixture({ authenticate: undefined } as object);
  t.after(async () => await issuer.close());
  // Each instance lists the users before one of them adds the user.
  const early = {
    issuer: { users: { ...issuer.users, list: async () => await Promise.resolve([]) } },
    store,
  };
  return { issuer, store, early };
}

test("when several machines add the first user together, only one keeps a password file", async (t) => {
  const folder = await temporaryDataDir();
  await mkdir(folder);
  const { issuer, early } = createEarly(t);
  const [here, elsewhere] = [join(folder, "here"), join(folder, "elsewhere")];
  assert.match((await ensureFirstUser(early, undefined, here)) ?? "", /^first user admin, password in /);
  // The second call is another process with the same folder, the third another machine.
  assert.equal(await ensureFirstUser(early, undefined, here), null);
  assert.equal(await ensureFirstUser(early, undefined, elsewhere), null);
  const password = (await readFile(here, "utf8")).trimEnd();
  assert.equal((await issuer.login({ username: "admin", password })).status, "ok");
  await assert.rejects(readFile(elsewhere), { code: "ENOENT" });
});

test("an instance that finds that another one added the first user audits no login, and emits no event", async (t) => {
  const folder = await temporaryDataDir();
  await mkdir(folder);
  const { store, early } = createEarly(t);
  const events: string[] = [];
  const listen = (event: unknown) => events.push((event as IssuerEvent).event);
  issuerEvents.subscribe(listen);
  t.after(() => issuerEvents.unsubscribe(listen));
  for (const file of ["here", "here", "elsewhere"])
    await ensureFirstUser(early, undefined, join(folder, file));
  const audited = (await store.audit.recent(10)).map(({ kind }) => kind);
  assert.deepEqual(audited, ["user_added"]);
  assert.deepEqual(events, []);
});
