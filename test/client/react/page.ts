import { createElement, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { createAuthClient } from "../../../src/client/index.ts";
import { AuthProvider, useAuth, type Auth } from "../../../src/client/react.ts";

declare global {
  /** What the component got, each time that it rendered. */
  var renders: Auth[];
  var client: ReturnType<typeof createAuthClient>;
  var mount: () => void;
}

globalThis.renders = [];
globalThis.client = createAuthClient({ baseUrl: new URLSearchParams(location.search).get("id") ?? "" });

function Page() {
  const auth = useAuth();
  const [count, setCount] = useState(0);
  globalThis.renders.push(auth);
  const { state } = auth;
  const shown = state.status === "in" ? `in: ${state.subject}` : state.status;
  return createElement("button", { onClick: () => setCount(count + 1) }, `${shown}, ${count} clicks`);
}

globalThis.mount = () => {
  const root = document.getElementById("root");
  if (root === null) throw new Error("the page has no root");
  createRoot(root).render(
    createElement(StrictMode, null, createElement(AuthProvider, { client }, createElement(Page))),
  );
};
