/**
 * Writes a marker to the store named on the command line, and neither waits for it nor closes the store. The second
 * argument decides when the process has nothing left to do.
 */
import { sqliteStore } from "../../src/stores/sqlite.ts";

const [, , file = "", when = ""] = process.argv;
const store = await sqliteStore({ file });
if (when === "idle") await store.markers.claim("written", "idle");
else void store.markers.claim("written", "pending");
