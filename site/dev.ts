/*
 * Serves the site of the documentation while its pages are written. A page that changes is shown at once.
 *
 *     npm run site:dev
 */
import { watch } from "node:fs";
import { createServer } from "vitepress";
import { writeApi } from "./api.ts";
import { root } from "./navigation.ts";
import { stage, stageFolder, stagePage } from "./stage.ts";

stage();
await writeApi(`${stageFolder}reference/api/`);
watch(`${root}docs`, { recursive: true }, (_, file) => {
  if (file?.endsWith(".md") !== true) return;
  try {
    stagePage(`docs/${file}`);
  } catch (error) {
    // The page has a broken link, or is gone. The next change may mend it.
    console.error(error instanceof Error ? error.message : error);
  }
});
const server = await createServer(`${root}site`);
await server.listen();
server.printUrls();
