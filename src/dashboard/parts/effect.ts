import type { State } from "../wire-state.ts";
import { toneOf, type Tone } from "./tone.tsx";

/**
 * The tone of the whole service. It is failing while one kind of answer is 503 for its users, or many decisions are
 * 503. Decisions of the last ten seconds alone do not make a healthy service fail.
 */
export function toneOfService({ headline, outcomes, steps }: State): Tone {
  if (headline.status === "ok") return "ok";
  const hurts =
    Object.values(outcomes).some(({ status }) => status === "unavailable") ||
    steps.some(({ name, state }) => name === "decision" && state === "failing");
  return hurts ? "failing" : toneOf(headline.status);
}

/** The tone of a component. It is failing while the component makes one kind of answer 503. */
export function toneOfComponent(name: string, { components, outcomes }: State): Tone {
  const hurts = Object.values(outcomes).some(
    ({ status, because }) => status === "unavailable" && because.includes(name),
  );
  return hurts ? "failing" : toneOf(components[name]?.status ?? "unknown");
}

/** The words of a tone. `degraded` would mean the degraded mode of a validation. */
export const toneWords: Readonly<Record<Tone, string>> = {
  ok: "well",
  degraded: "impaired",
  failing: "failing",
  idle: "unknown",
};

const componentNames: Readonly<Record<string, string>> = {
  store: "Store",
  keys: "Keys of the service",
  revocations: "Revocation log",
  guard: "Validation",
  clock: "Clock",
  provider: "Provider",
  gateway: "Gateway",
};

/** The title of a component. */
export function componentName(name: string): string {
  return componentNames[name] ?? name;
}

/** The parts that cause an outcome. `answers` stands for measured answers, not for a part. */
export function causeWords(because: readonly string[]): string {
  return because
    .map((name) => (name === "answers" ? "recent answers with 429 or 5xx" : componentName(name)))
    .join(", ");
}
