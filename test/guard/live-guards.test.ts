import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createGuard, jwks, staticKeys } from "../../src/index.ts";
import { createMint, FakeClock } from "../../src/testing/index.ts";
import { recordEvents } from "./keys/fixture.ts";

const issuer = "https://repeated.example";
const audience = "https://api.example";

/** Records the process warnings of Holdfast until the test ends. */
function recordWarnings(t: TestContext): Error[] {
  const recorded: Error[] = [];
  const listen = (warning: Error) => void recorded.push(warning);
  process.on("warning", listen);
  t.after(() => void process.off("warning", listen));
  return recorded;
}

test("the third open guard of one name and issuer is announced, and the process is warned once", async (t) => {
  const mint = await createMint({ issuer, audience });
  const events = recordEvents(t);
  const warnings = recordWarnings(t);
  const open = (name: string) => createGuard({ name, issuer, audience, keys: staticKeys(mint.jwks()) });
  const repeated = () => events.filter(({ event }) => event === "guards_repeated").length;
  // Guards that are closed again do not count.
  for (let i = 0; i < 5; i++) await open("closed").close();
  const guards = [open("a"), open("a"), open("b"), open("b")];
  assert.equal(repeated(), 0);
  guards.push(open("a"), open("a"));
  assert.equal(repeated(), 2);
  await new Promise((resolve) => setImmediate(resolve));
  const codes = warnings.map((warning) => (warning as Error & { code?: string }).code);
  assert.deepEqual(codes, ["HOLDFAST_GUARDS_REPEATED"]);
  await Promise.all(guards.map(async (guard) => await guard.close()));
});

test("a guard that is not used stops fetching keys, and fetches again when it is used", async (t) => {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  let fetches = 0;
  const fetch = () => {
    fetches++;
    return Response.json(mint.jwks());
  };
  const keys = jwks("https://repeated.example/jwks", { fetch, freshMs: 60_000, coolDownMs: 1_000 });
  const guard = createGuard({ name: t.name, issuer, audience, keys, clock, random: () => 0.5 });
  t.after(async () => await guard.close());
  assert.equal((await guard.validate(mint.token())).status, "valid");
  await clock.advance(3_600_000);
  assert.ok(fetches >= 10 && fetches <= 12, `${fetches} fetches`);
  const before = fetches;
  await clock.advance(3_600_000);
  assert.equal(fetches, before);
  assert.equal((await guard.validate(mint.token())).status, "valid");
  await clock.advance(1_000);
  assert.equal(fetches, before + 1);
  // A guard whose status is read, such as by a health check, stays ready for the next token.
  for (let minute = 0; minute < 60; minute++) {
    guard.status();
    await clock.advance(60_000);
  }
  assert.ok(fetches >= before + 50, `${fetches - before} fetches`);
});
