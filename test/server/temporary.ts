import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { readSettings, type Settings } from "../../src/server/settings.ts";

/** A data directory that does not exist yet and is removed after the test, with its sibling. */
export async function temporaryData(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "holdfast-server-"));
  t.after(async () => await rm(root, { recursive: true, force: true }));
  return join(root, "data");
}

/** Settings of a service on free ports, with alice as its first user. */
export async function temporarySettings(
  t: TestContext,
  more: Record<string, string> = {},
): Promise<Settings> {
  return readSettings({
    HOLDFAST_PORT: "0",
    HOLDFAST_ADMIN_PORT: "0",
    HOLDFAST_DATA_DIR: await temporaryData(t),
    HOLDFAST_BOOTSTRAP_USER: "alice:correct horse battery",
    ...more,
  });
}
