import type { Headline } from "../wire-state.ts";

const colors = { ok: "#1a7442", degraded: "#d99114", unavailable: "#d0323d", unknown: "#7a8491" } as const;
const shapes = {
  ok: "<circle cx='8' cy='8' r='7'/>",
  degraded: "<path d='M8 1 15.5 15H.5Z'/>",
  unavailable: "<path d='M5 1h6l4 4v6l-4 4H5l-4-4V5Z'/>",
  unknown: "<circle cx='8' cy='8' r='5'/>",
} as const;

/** Shows the state in the title and the icon of the tab, for an operator who looks at another one. */
export function showStateInTab(headline: Headline | undefined, view: string): void {
  const status = headline?.status ?? "unknown";
  const lead = headline === undefined || status === "ok" ? view : headline.text;
  document.title = `${lead} · Holdfast`;
  const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  const svg = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='${colors[status]}'>${shapes[status]}</svg>`;
  if (icon !== null) icon.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
