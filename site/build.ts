/*
 * Builds the site of the documentation into dist-site, and checks its links. The pages are those of docs/.
 *
 *     npm run site
 */
import { cpSync, globSync } from "node:fs";
import { build } from "vitepress";
import manifest from "../package.json" with { type: "json" };
import { writeApi } from "./api.ts";
import { findBrokenLinks } from "./check-links.ts";
import { writeLlms } from "./llms.ts";
import { readGroups, root } from "./navigation.ts";
import { stage, stageFolder } from "./stage.ts";

const site = `${root}dist-site/`;

stage();
await writeApi(`${stageFolder}reference/api/`);
await build(`${root}site`);
for (const page of globSync("**/*.md", { cwd: stageFolder })) cpSync(stageFolder + page, site + page);
writeLlms(readGroups(), manifest.description, stageFolder, site);

const problems = findBrokenLinks(site);
for (const problem of problems) console.error(problem);
console.log(
  `site: ${globSync("**/*.html", { cwd: site }).length} pages in dist-site, ${problems.length} broken links`,
);
if (problems.length > 0) process.exitCode = 1;
