import { closest, distance } from "fastest-levenshtein";
import { settingDefinitions } from "./setting-definitions.ts";

/** Names that people look for, and the rest of the sentence about each. */
const otherNames: Readonly<Record<string, string>> = {
  HOLDFAST_GRACE:
    "has two settings in its place: set HOLDFAST_LOST_ANSWER, and HOLDFAST_CONFLICT for other tabs",
  HOLDFAST_PROVIDER_URL: "is not a setting; did you mean HOLDFAST_PROVIDER_ISSUER?",
};

/** Returns a sentence for each variable that looks like a setting, but is not a setting. */
export function findUnknownSettings(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = Object.keys(settingDefinitions);
  return Object.keys(env)
    .filter((name) => name.startsWith("HOLDFAST_") && env[name] !== undefined && !known.includes(name))
    .map((name) => {
      const advice = otherNames[name];
      if (advice !== undefined) return `${name} ${advice}`;
      const likely = closest(name, known);
      const hint = distance(name, likely) <= 4 ? `did you mean ${likely}?` : `there are ${known.join(", ")}`;
      return `${name} is not a setting; ${hint}`;
    });
}
