import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { ensureFirstUser } from "../../src/server/first-user.ts";
import { createFixture } from "../issuer/fixture.ts";
import { temporaryDataDir } from "./temporary-settings.ts";

test("when several machines add the first user together, only one keeps a password file", async (t) => {
  const folder = await temporaryDataDir();
  await mkdir(folder);
  const { issuer } = createFixture({ authenticate: undefined } as object);
  t.after(async () => await issuer.close());
  // Each instance lists the users before one of them adds the user.
  const early = { ...issuer, users: { ...issuer.users, list: async () => await Promise.resolve([]) } };
  const [here, elsewhere] = [join(folder, "here"), join(folder, "elsewhere")];
  assert.match((await ensureFirstUser(early, undefined, here)) ?? "", /^first user admin, password in /);
  // The second call is another process with the same folder, the third another machine.
  assert.equal(await ensureFirstUser(early, undefined, here), null);
  assert.equal(await ensureFirstUser(early, undefined, elsewhere), null);
  const password = (await readFile(here, "utf8")).trimEnd();
  assert.equal((await issuer.login({ username: "admin", password })).status, "ok");
  await assert.rejects(readFile(elsewhere), { code: "ENOENT" });
});
