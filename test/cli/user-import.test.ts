import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { parseUserFile } from "../../src/cli/user-file.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { post } from "../support/auth-calls.ts";
import { startService } from "../support/service-process.ts";
import { HASHED_PASSWORD, passwordHashes } from "../issuer/users/password-hashes.ts";
import { runHoldfast } from "./cli-process.ts";

test("user import and user add --password-hash take over the users of another system", async (t) => {
  const data = await temporaryDataDir();
  const service = await startService(data);
  t.after(async () => await service.stop());
  const signIn = async (username: string) =>
    (await post(service.url, "/auth/login", { username, password: HASHED_PASSWORD })).status;
  const file = join(data, "..", "users.csv");
  const rows = passwordHashes.slice(0, 5).map(([, hash], index) => `user${index},"${hash}",a b,`);
  writeFileSync(
    file,
    ["username,password_hash,scope,disabled", ...rows, `gone,"${passwordHashes[0]?.[1]}",,true`].join("\r\n"),
  );
  const imported = await runHoldfast(["user", "import", file], { data });
  assert.deepEqual(imported, { code: 0, out: "added 6 users, skipped 0\n", err: "" });
  for (const index of [0, 4]) assert.equal(await signIn(`User${index}`), 200);
  assert.equal(await signIn("gone"), 401);

  const again = await runHoldfast(["user", "import", file], { data });
  assert.equal(again.code, 1);
  assert.match(again.err, /no user was imported\n  line 2: there is a user of this name already\n/);
  const skipped = await runHoldfast(["user", "import", file, "--existing", "skip"], { data });
  assert.equal(skipped.out, "added 0 users, skipped 6\n");

  const lines = [
    { username: "new", password_hash: passwordHashes[0]?.[1] },
    { username: "bad", password_hash: "x" },
  ];
  writeFileSync(file, lines.map((line) => JSON.stringify(line)).join("\n"));
  const refused = await runHoldfast(["user", "import", file], { data });
  assert.match(refused.err, /line 2: passwordHash must be a hash of bcrypt, scrypt, PBKDF2 or Argon2/);
  assert.equal(await signIn("new"), 401);

  const hash = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
  const added = await runHoldfast(["user", "add", "carol", "--password-hash", hash], { data });
  assert.deepEqual(added, { code: 0, out: "added carol\n", err: "" });
  assert.equal((await runHoldfast(["user", "import", "none.csv"], { data })).code, 1);
});

test("a user file is CSV with commas, semicolons or tabs, or JSON lines", () => {
  const user = { line: 2, username: "ann", passwordHash: "$x$m=1,t=2", scopes: ["a", "b"], disabled: false };
  assert.deepEqual(parseUserFile('username,password_hash,scope\nann,"$x$m=1,t=2",a b\n'), [user]);
  assert.deepEqual(parseUserFile("\uFEFFscope;username;password_hash\r\na b;ann;$x$m=1,t=2"), [user]);
  assert.deepEqual(parseUserFile("username\tpassword_hash\tscope\nann\t$x$m=1,t=2\ta b"), [user]);
  assert.deepEqual(parseUserFile('\n{"username":"ann","password_hash":"$x$m=1,t=2","scope":"a b"}\n\n'), [
    user,
  ]);
});

test("a line of a user file that cannot be read is named, without its content", () => {
  const cases: [string, RegExp][] = [
    ["name,hash\nann,x", /^line 1: must name the columns/m],
    [
      "username,password_hash\nann,$argon2$m=1,t=2",
      /^line 2: has 3 fields and needs 2; a field that contains/m,
    ],
    ["username,password_hash\nann", /^line 2: has 1 fields and needs 2$/m],
    ['username,password_hash\n"a\nb",x\nbob,"x"y', /^line 4: a quotation mark is out of place$/m],
    ["username,password_hash,disabled\nann,x,yes", /^line 2: disabled must be true or false$/m],
    ['{"username":"a","password_hash":"x"}\n{"username":', /^line 2: must be a JSON object$/m],
    [
      '{"username":"a","password":"secret"}',
      /^line 1: may have username, password_hash, scope, disabled, and/m,
    ],
    [
      '{"username":"a","password_hash":"x","scope":["a"]}',
      /^line 1: scope must be scopes separated by blanks$/m,
    ],
  ];
  for (const [text, expected] of cases) {
    assert.throws(
      () => parseUserFile(text),
      (error: Error) => {
        assert.match(error.message, expected);
        return !error.message.includes("secret");
      },
    );
  }
});

test("every name that CSV can hold is read as it was written", () => {
  const field = fc.string({ unit: fc.constantFrom("a", '"', ",", ";", "\n", "\r", " ", "ü"), minLength: 1 });
  fc.assert(
    fc.property(fc.array(field, { minLength: 1, maxLength: 5 }), (names) => {
      const rows = names.map((name) => `"${name.replaceAll('"', '""')}",x`);
      const users = parseUserFile(["username,password_hash", ...rows].join("\r\n"));
      assert.deepEqual(
        users.map(({ username }) => username),
        names,
      );
    }),
  );
});
