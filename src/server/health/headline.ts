import type { Headline } from "../../dashboard/wire-state.ts";
import {
  answersProblem,
  clockProblem,
  guardProblem,
  keysProblem,
  revocationsProblem,
  storeProblem,
  type HeadlineFacts,
  type Problem,
} from "./problems.ts";
import { gatewayProblem } from "./gateway-problem.ts";
import { providerProblem } from "./provider-problem.ts";
import { outcomeRank } from "./service-health.ts";
import { listWords } from "./words.ts";

/** The parts that fail because another one does. An operator need not look at them. */
const consequences: Readonly<Record<string, readonly string[]>> = {
  store: ["keys", "revocations", "guard", "answers"],
  clock: ["keys", "revocations", "guard", "provider", "answers"],
  keys: ["guard"],
  guard: ["answers"],
};

const nothing = { advice: null, part: null, runbook: null };

/**
 * One sentence for the operator: the part that fails, what users notice, and how long that lasts. It names the cause
 * first where one part takes others with it, and then what hurts users most.
 */
export function describeHeadline(
  facts: HeadlineFacts,
  problems: readonly Problem[] = findProblems(facts),
): Headline {
  const { status, since } = facts.health;
  if (status === "ok") return { status, text: "Everything works", ...nothing, since: null };
  const [first, ...others] = problems.toSorted((a, b) => rankOf(b) - rankOf(a));
  if (first === undefined) return { status, text: "Check what users get", ...nothing, since };
  const hidden = consequences[first.part] ?? [];
  const more = [...new Set(others.map(({ part }) => part))].filter((part) => !hidden.includes(part));
  const text = sentence(first) + (more.length === 0 ? "" : `. Also check: ${listWords(more)}`);
  const { advice, part, runbook } = first;
  return { status, text, advice, part, since: first.since, runbook };
}

/** The problems of all parts, and those that only the answers show. */
export function findProblems(facts: HeadlineFacts): Problem[] {
  return [
    clockProblem(facts),
    storeProblem(facts),
    guardProblem(facts),
    keysProblem(facts),
    revocationsProblem(facts),
    providerProblem(facts),
    gatewayProblem(facts),
    answersProblem(facts, "login"),
    answersProblem(facts, "refresh"),
  ].filter((problem) => problem !== null);
}

function sentence({ text, effect }: Problem): string {
  return effect === null ? text : `${text}: ${effect}`;
}

/** A stepped clock explains most of what follows. Otherwise the effect on users decides, then the order of the parts. */
function rankOf({ part, isRootCause, outcomes }: Problem): number {
  if (isRootCause === true) return part === "clock" ? 10 : 5;
  return outcomeRank(outcomes);
}
