import type { Check } from "../check.ts";
import { fail, ok, warn } from "../finding.ts";

/** The settings themselves are read before any check. This one tells where they come from, and reads their files. */
export const settingsCheck: Check = {
  name: "settings",
  group: "configuration",
  run: async ({ given, fileProblems, otherSettings }) => {
    const problems = fileProblems.map((problem) =>
      fail(problem, "correct the file; the service does not start with it"),
    );
    if (problems.length > 0) return problems;
    if (otherSettings.length > 0) {
      const advice =
        "run this command with the environment of the service, or restart the service if its settings have changed; the other checks are for the settings of this command";
      return otherSettings.map(({ pid, names }) =>
        warn(`the running service (process ${pid}) has other settings: ${names.join(", ")}`, advice),
      );
    }
    const list = given.map(({ name, source }) =>
      source === "environment" ? name : `${name} (from ${source})`,
    );
    const detail = list.length === 0 ? "all are left to their defaults" : `given: ${list.join(", ")}`;
    return await Promise.resolve([ok(detail)]);
  },
};
