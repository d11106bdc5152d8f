import type { Headline } from "../wire-state.ts";
import type { Tone } from "./tone.tsx";

const colors: Readonly<Record<Tone, string>> = {
  ok: "#1a7442",
  degraded: "#d99114",
  failing: "#d0323d",
  idle: "#7a8491",
};
const shapes: Readonly<Record<Tone, string>> = {
  ok: "<circle cx='8' cy='8' r='7'/>",
  degraded: "<path d='M8 1 15.5 15H.5Z'/>",
  failing: "<path d='M5 1h6l4 4v6l-4 4H5l-4-4V5Z'/>",
  idle: "<circle cx='8' cy='8' r='5'/>",
};

/** Shows the state in the title and the icon of the tab, for an operator who looks at another one. */
export function showStateInTab(headline: Headline | undefined, tone: Tone, view: string): void {
  const lead = headline === undefined || headline.status === "ok" ? view : headline.text;
  document.title = `${lead} · Holdfast`;
  const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  const svg = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='${colors[tone]}'>${shapes[tone]}</svg>`;
  if (icon !== null) icon.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
