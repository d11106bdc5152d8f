import type { Check } from "../check.ts";
import { fail, ok } from "../finding.ts";

/** The settings themselves are read before any check. This one tells where they come from, and reads their files. */
export const settingsCheck: Check = {
  name: "settings",
  group: "configuration",
  run: async ({ given, fileProblems }) => {
    const problems = fileProblems.map((problem) =>
      fail(problem, "correct the file; the service does not start with it"),
    );
    if (problems.length > 0) return problems;
    const list = given.map(({ name, source }) =>
      source === "environment" ? name : `${name} (from ${source})`,
    );
    const detail = list.length === 0 ? "all are left to their defaults" : `given: ${list.join(", ")}`;
    return await Promise.resolve([ok(detail)]);
  },
};
