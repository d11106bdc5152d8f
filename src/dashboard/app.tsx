import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { createApi, type Api } from "./data/api.ts";
import { DashboardStore } from "./data/dashboard-store.ts";
import { ranges, type Range } from "./data/ranges.ts";
import { routeOf } from "./data/routes.ts";
import { followStream, type Link } from "./data/stream.ts";
import { DashboardContext, type Dashboard } from "./parts/dashboard-context.ts";
import { toneOfService } from "./parts/effect.ts";
import { Headline, LiveHeadline } from "./parts/headline.tsx";
import { KeyHelp } from "./parts/key-help.tsx";
import { LinkNotice } from "./parts/link-notice.tsx";
import { ListenerToken } from "./parts/listener-token.tsx";
import { Navigation } from "./parts/navigation.tsx";
import { PageClock } from "./parts/page-clock.tsx";
import { SignIn } from "./parts/sign-in.tsx";
import { useShortcuts } from "./parts/shortcuts.ts";
import { showStateInTab } from "./parts/tab-state.ts";
import { views } from "./views/index.ts";

/** The whole page. One stream feeds one store, and every view reads it. */
export function App(): JSX.Element {
  const { store, api, link, retry } = useStream();
  const [dialog, setDialog] = useState<"keys" | "sign-in" | null>(null);
  const [range, setRange] = useState<Range>(ranges[1]);
  const route = useRoute();
  const main = useRef<HTMLElement>(null);

  useShortcuts({
    onHelp: () => setDialog((open) => (open === "keys" ? null : "keys")),
  });
  useEffect(() => main.current?.scrollIntoView?.({ block: "nearest" }), [route.path]);

  const { received } = store;
  const headline = received?.frame.state.headline;
  const tone = received === null ? "idle" : toneOfService(received.frame.state);
  useLayoutEffect(
    () => showStateInTab(headline, tone, route.title),
    [headline?.text, headline?.status, tone, route.title],
  );
  const dashboard: Dashboard | null = received && {
    received,
    api,
    now: received.frame.at,
    subject: api.subject(),
    askToSignIn: () => setDialog("sign-in"),
    range,
    setRange,
  };
  const View = views[route.path];
  const isStale = link.state !== "live" && received !== null;
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={(event) => skipTo(event, main.current)}>
        Skip to the view
      </a>
      <Navigation
        current={route.path}
        version={received?.instance.version ?? null}
        tone={tone}
        subject={api.subject()}
        onSignIn={() => setDialog("sign-in")}
        onSignOut={() => void api.signOut().catch(() => {})}
        onHelp={() => setDialog("keys")}
      />
      <main class="main" id="main" tabIndex={-1} ref={main}>
        <LiveHeadline text={headline?.text ?? ""} />
        <LinkNotice link={link} lastAt={received?.frame.at ?? null} onRetry={retry} />
        {link.state === "token-needed" && (
          <ListenerToken
            refused={link.refused}
            onToken={(token) => {
              api.setListenerToken(token);
              retry();
            }}
          />
        )}
        {dashboard !== null && (
          <DashboardContext.Provider value={dashboard}>
            <PageClock at={dashboard.now} />
            <div class={isStale ? "stale" : ""}>
              <Headline isMain={route.path === "now"} />
              <View />
            </div>
            {dialog === "sign-in" && <SignIn onClose={() => setDialog(null)} />}
          </DashboardContext.Provider>
        )}
      </main>
      {dialog === "keys" && <KeyHelp onClose={() => setDialog(null)} />}
    </div>
  );
}

/** The store of the page and the stream that feeds it. */
function useStream(): { store: DashboardStore; api: Api; link: Link; retry: () => void } {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const store = useMemo(() => new DashboardStore(), []);
  const api = useMemo(() => createApi(() => redraw(undefined)), []);
  const [link, setLink] = useState<Link>({ state: "connecting" });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => store.subscribe(() => redraw(undefined)), []);
  useEffect(
    () =>
      followStream({
        onMessage: async (name, data) => await store.apply(name, data),
        onLink: setLink,
        listenerToken: api.listenerToken,
      }),
    [attempt],
  );
  return { store, api, link, retry: () => setAttempt((count) => count + 1) };
}

function useRoute(): ReturnType<typeof routeOf> {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const update = () => setHash(location.hash);
    addEventListener("hashchange", update);
    return () => removeEventListener("hashchange", update);
  }, []);
  return routeOf(hash);
}

/** The fragment of the address names the view, so the link moves the focus without changing it. */
function skipTo(event: Event, target: HTMLElement | null): void {
  event.preventDefault();
  target?.focus();
}
