/*
 * Changes one file of `src/` while Node loads it: `node --import ./sim/planted/hooks.ts …` with the name of the bug in
 * SIMULATION_BUG. The files on the disk stay as they are.
 */
import { registerHooks } from "node:module";
import { plantedBugs } from "./bugs.ts";
import { plant } from "./plant.ts";

const bug = plantedBugs.find(({ name }) => name === process.env["SIMULATION_BUG"]);
if (bug === undefined) throw new Error(`there is no planted bug "${process.env["SIMULATION_BUG"]}"`);
const url = new URL(`../../src/${bug.file}`, import.meta.url).href;

registerHooks({
  load(loaded, context, nextLoad) {
    const result = nextLoad(loaded, context);
    if (loaded !== url || result.source === undefined || result.source === null) return result;
    const text =
      typeof result.source === "string" ? result.source : Buffer.from(result.source as Uint8Array).toString();
    return { ...result, source: plant(text, bug) };
  },
});
