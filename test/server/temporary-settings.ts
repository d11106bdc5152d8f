import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { readSettings, type Settings } from "../../src/server/settings.ts";

const roots: string[] = [];

// The folders are removed after all tests. The hooks of a test run in order, and a service that stops later still writes.
after(async () => {
  for (const root of roots) await rm(root, { recursive: true, force: true });
});

/** Returns a data directory that does not exist yet. It is removed after the tests of the file, with its sibling. */
export async function temporaryDataDir(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "holdfast-server-"));
  roots.push(root);
  return join(root, "data");
}

/** Settings of a service on free ports, with alice as its first user. */
export async function temporarySettings(more: Record<string, string> = {}): Promise<Settings> {
  return readSettings({
    HOLDFAST_PORT: "0",
    HOLDFAST_ADMIN_PORT: "0",
    HOLDFAST_DATA_DIR: await temporaryDataDir(),
    HOLDFAST_BOOTSTRAP_USER: "alice:correct horse battery",
    ...more,
  });
}
