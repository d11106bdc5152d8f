import { fileURLToPath } from "node:url";

/** The command `holdfast` of the source. */
export const sourceCli: string = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));

/** The command `holdfast`: of the build that `npm test` makes once for all files, or of the source. */
export const cli: string = process.env["TEST_BUILT_CLI"] ?? sourceCli;
