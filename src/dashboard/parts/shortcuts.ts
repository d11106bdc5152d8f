import { useEffect } from "preact/hooks";
import { routes } from "../data/routes.ts";

const PREFIX_MS = 1_500;

/** Handles the keys of the page: `g` and a letter for a view, `/` for the first field, `?` for help. */
export function useShortcuts({ onHelp }: { onHelp: () => void }): void {
  useEffect(() => {
    let prefixAt = -Infinity;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const isDialogOpen = document.querySelector("dialog[open]") !== null;
      const route = routes.find(({ key }) => key === event.key);
      if (event.key === "?") onHelp();
      else if (isDialogOpen) return;
      else if (performance.now() - prefixAt < PREFIX_MS && route !== undefined)
        location.hash = `#${route.path}`;
      else if (event.key === "/") focusFirstField();
      else if (event.key === "g") {
        prefixAt = performance.now();
        return;
      } else return;
      prefixAt = -Infinity;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select") !== null;
}

function focusFirstField(): void {
  document.querySelector<HTMLElement>("main :is(input, textarea, select)")?.focus();
}
