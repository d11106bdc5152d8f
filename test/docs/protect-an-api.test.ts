import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isRegistryOnline, packPackages } from "../support/packed-packages.ts";
import { followPage } from "../support/walkthrough/follow-page.ts";
import { createNpmFolder } from "../support/walkthrough/packages.ts";
import { readTabs } from "../support/walkthrough/page.ts";

const page = join(fileURLToPath(new URL("../..", import.meta.url)), "docs/start/protect-an-api.md");
const skip = (await isRegistryOnline()) ? false : "the package registry cannot be reached";

describe("a reader who protects an API", { skip, concurrency: 2 }, () => {
  let npmFolder = "";
  before(async () => {
    npmFolder = createNpmFolder(await packPackages());
  });
  after(async () => await rm(npmFolder, { recursive: true, force: true }));

  for (const tab of readTabs(page)) {
    test(`law 1: the page works to the letter with ${tab}: 200, 401, 403, and 503 while keys are missing`, async () => {
      await followPage(page, { tab, npmFolder });
    });
  }
});
