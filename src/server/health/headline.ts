import type { Headline } from "../../dashboard/wire-state.ts";
import type { ServiceHealth } from "./service-health.ts";

/** One sentence for the operator: the part that fails, and what users notice. */
export function describeHeadline({
  status,
  since,
  outcomes,
  components,
}: Omit<ServiceHealth, "headline">): Headline {
  if (status === "ok") return { status, text: "Everything works", advice: null, part: null, since: null };
  const named = (wanted: string) =>
    Object.entries(components)
      .filter(([, part]) => part.status === wanted)
      .map(([name]) => name);
  const failing = named("unavailable");
  const [part = null] = [
    ...failing,
    ...named("degraded"),
    ...Object.values(outcomes).flatMap(({ because }) => because),
  ];
  const list = failing.join(", ");
  if (status === "unavailable") return { status, text: `Not working: ${list}`, advice: null, part, since };
  const check = list === "" ? named("degraded").join(", ") : list;
  const text = `${list === "" ? "Works" : "Works in part"}, but check: ${check === "" ? "what users get" : check}`;
  return { status, text, advice: null, part, since };
}
