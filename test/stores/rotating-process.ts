/**
 * Rotates the session `s` of the store named on the command line, starting with the given generation, until it is
 * killed. It appends a revocation concurrently with each rotation, and prints each acknowledged generation on a line.
 */
import { writeSync } from "node:fs";
import { present, makeRevocation } from "../../src/stores/conformance/fixtures.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";

const [, , file = "", first = "1"] = process.argv;
const store = await sqliteStore({ file });
for (let generation = Number(first); ; generation++) {
  const revoking = store.revocations.append(await makeRevocation(store, "token", `t${generation}`));
  const { outcome } = await present(store, "s", generation);
  await revoking;
  if (outcome !== "rotated") throw new Error(`generation ${generation} was ${outcome}`);
  writeSync(1, `${generation}\n`);
}
