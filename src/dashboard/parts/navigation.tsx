import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { routes, type RoutePath } from "../data/routes.ts";
import { Shape, type Tone } from "./tone.tsx";

interface NavigationProps {
  current: RoutePath;
  version: string | null;
  tone: Tone;
  subject: string | null;
  onSignIn: () => void;
  onSignOut: () => void;
  onHelp: () => void;
}

/** The list of views. On a narrow screen a button opens it. */
export function Navigation(props: NavigationProps): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const { current, version, tone, subject } = props;
  return (
    <header class="side">
      <div class={`side-inner${isOpen ? " open" : ""}`}>
        <div class="brand">
          <Mark />
          Holdfast
          {version !== null && <span class="dim">{version}</span>}
          <button
            type="button"
            class="menu-button"
            aria-expanded={isOpen}
            aria-controls="views"
            onClick={() => setOpen(!isOpen)}
          >
            Menu
          </button>
        </div>
        <nav class="nav" id="views" aria-label="Views">
          {routes.map(({ path, title, key }) => (
            <a
              key={path}
              href={`#${path}`}
              aria-current={path === current ? "page" : undefined}
              onClick={() => setOpen(false)}
            >
              {title}
              {path === "now" && tone !== "idle" && tone !== "ok" ? (
                <span class={`count state tone-${tone}`}>
                  <Shape tone={tone} size={11} />
                </span>
              ) : (
                <span class="key" aria-hidden="true">
                  {key}
                </span>
              )}
            </a>
          ))}
        </nav>
        <div class="side-foot">
          {subject === null ? (
            <button type="button" onClick={props.onSignIn}>
              Sign in for actions
            </button>
          ) : (
            <>
              <span class="dim">Signed in as {subject}</span>
              <button type="button" onClick={props.onSignOut}>
                Sign out
              </button>
            </>
          )}
          <button type="button" class="quiet" onClick={props.onHelp}>
            Shortcuts <kbd>?</kbd>
          </button>
        </div>
      </div>
    </header>
  );
}

/** A holdfast is what keeps kelp on its rock. */
function Mark(): JSX.Element {
  return (
    <svg
      width="20"
      height="20"
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
      stroke-linecap="round"
      aria-hidden="true"
    >
      <path d="M10 1.5v9" />
      <path d="M10 10.5c-1.5 3.5-4 4.5-7.5 8M10 10.5c1.5 3.5 4 4.5 7.5 8M10 10.5v8" />
      <path d="M10 5c2-2.5 4-2.8 6-2.5-.5 2.5-2.5 4-6 4M10 6.5C8 4 6 3.7 4 4c.5 2.5 2.5 4 6 4" />
    </svg>
  );
}
