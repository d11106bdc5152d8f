import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { readSettings, type Settings } from "../../src/server/settings.ts";

const roots: string[] = [];

// Not after each test: its hooks run in the order they were set, and a service that is stopped later still saves.
after(async () => {
  for (const root of roots) await rm(root, { recursive: true, force: true });
});

/** A data directory that does not exist yet and is removed after the tests of this file, with its sibling. */
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
