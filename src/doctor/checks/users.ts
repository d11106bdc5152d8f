import { stat } from "node:fs/promises";
import type { Check } from "../check.ts";
import { ok, skip, warn } from "../finding.ts";

const DAY_MS = 86_400_000;

export const usersCheck: Check = {
  name: "users",
  group: "store",
  async run({ files, settings, given }) {
    if (!settings.roles.has("issuer")) return [skip("this service has no users")];
    const bootstrap = given.find(({ name }) => name === "HOLDFAST_BOOTSTRAP_USER");
    const [marker, password] = await Promise.all([
      stat(files.marker).catch(() => null),
      stat(files.password).catch(() => null),
    ]);
    const now = Date.now();
    const isOld = (since: number) => now - since > DAY_MS;
    if (password !== null && isOld(password.mtimeMs)) {
      const advice = `change it with holdfast user password admin, and remove ${files.password}`;
      return [warn(`the generated password of the first user is still in ${files.password}`, advice)];
    }
    if (bootstrap?.source === "environment" && marker !== null && isOld(marker.mtimeMs)) {
      const detail = "HOLDFAST_BOOTSTRAP_USER is still set, with a password that has no effect any longer";
      return [warn(detail, "remove it from the settings")];
    }
    if (password === null) return [ok("no first password is left over")];
    return [ok(`the password of the first user is in ${files.password}: change it, and remove the file`)];
  },
};
