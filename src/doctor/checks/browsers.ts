import type { Check } from "../check.ts";
import { ok, skip, warn } from "../finding.ts";

const LOOPBACK = /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;

/** The settings refuse `*` and cookies on plain http. An origin on plain http remains, whose pages can be changed on the way. */
export const browsersCheck: Check = {
  name: "browsers",
  group: "configuration",
  run: async ({ settings }) => {
    const { corsOrigins, cookies, url } = settings;
    const origins = [...new Set([...corsOrigins, ...(cookies?.origins ?? [])])];
    const plain = origins.filter((origin) => origin.startsWith("http:") && !LOOPBACK.test(origin));
    const findings = plain.map((origin) =>
      warn(
        `the pages of ${origin} may use this service, and anybody on the way can change them`,
        "serve them over https",
      ),
    );
    if (url?.startsWith("http:") === true && !LOOPBACK.test(new URL(url).origin) && origins.length > 0) {
      findings.push(
        warn(`browsers send passwords to ${url} without encryption`, "put a proxy with TLS in front of it"),
      );
    }
    if (findings.length > 0) return findings;
    if (origins.length === 0) return [skip("no page of a browser uses this service")];
    return await Promise.resolve([
      ok(`pages of ${origins.join(", ")}${cookies === undefined ? "" : ", sessions in cookies"}`),
    ]);
  },
};
