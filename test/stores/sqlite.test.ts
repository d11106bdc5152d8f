import { join } from "node:path";
import { testDurableStore, testStore } from "../../src/stores/conformance/index.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { temporaryFolder } from "./temporary-folder.ts";

async function open(thread: boolean) {
  const folder = temporaryFolder();
  const clock = new FakeClock();
  const file = join(folder.path, "holdfast.db");
  const first = await sqliteStore({ file, clock, thread });
  const opened = [first];
  return {
    store: first,
    clock,
    async reopen() {
      await first.close();
      const again = await sqliteStore({ file, clock, thread });
      opened.push(again);
      return again;
    },
    async close() {
      for (const store of opened) await store.close();
      folder.remove();
    },
  };
}

for (const thread of [true, false]) {
  const name = thread ? "sqliteStore" : "sqliteStore without its own thread";
  testStore(name, async () => await open(thread));
  testDurableStore(name, async () => await open(thread));
}
