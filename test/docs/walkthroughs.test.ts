import { spawnSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { noChromium } from "../browser/chromium.ts";
import { isRegistryOnline, packPackages } from "../support/packed-packages.ts";
import { followPage } from "../support/walkthrough/follow-page.ts";
import { createNpmFolder } from "../support/walkthrough/packages.ts";
import { readTabs } from "../support/walkthrough/page.ts";
import { openShop } from "./shop-visitor.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const hasNginx = spawnSync("nginx", ["-v"]).status === 0 || process.env["CI"] === "true";
const skip = (await isRegistryOnline()) ? false : "the package registry cannot be reached";

describe("a reader who follows a page to the letter", { skip, concurrency: 2 }, () => {
  let npmFolder = "";
  before(async () => {
    npmFolder = createNpmFolder(await packPackages());
  });
  after(async () => await rm(npmFolder, { recursive: true, force: true }));

  const pages: [page: string, skip: string | false][] = [
    ["README.md", false],
    ["docs/start/put-it-before-anything.md", hasNginx ? false : "nginx is not installed"],
    ["docs/start/run-the-service.md", false],
    ["docs/start/issue-sessions.md", false],
    ["docs/outages/index.md", false],
  ];
  for (const [page, reason] of pages) {
    test(
      `gets what ${page} says`,
      { skip: reason },
      async () => await followPage(join(root, page), { npmFolder }),
    );
  }

  const browserPage = join(root, "docs/start/keep-a-browser-logged-in.md");
  for (const tab of readTabs(browserPage)) {
    test(
      `gets what docs/start/keep-a-browser-logged-in.md says with ${tab}`,
      { skip: noChromium },
      async (t) => {
        const shop = await openShop();
        t.after(async () => await shop.close());
        await followPage(browserPage, { tab, npmFolder, browserSteps: shop.steps });
      },
    );
  }
});
