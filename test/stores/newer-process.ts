/**
 * A process of a later version. It migrates the file named on the command line to a schema that this version does not
 * know, with the statements of the second argument, and writes a user and a marker there.
 */
import { DatabaseSync } from "node:sqlite";
import { MIGRATIONS, migrate } from "../../src/stores/sqlite/schema.ts";

const [, , file = "", migration = ""] = process.argv;
const db = new DatabaseSync(file, { timeout: 5000 });
migrate(db, [...MIGRATIONS, migration]);
db.exec("INSERT INTO markers (name, value) VALUES ('written by', 'the later version')");
db.close();
