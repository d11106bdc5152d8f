import { createAuthClient, LoginRefused } from "holdfast/client";

const auth = createAuthClient({ baseUrl: location.origin, origins: [location.origin] });
const byId = (id) => document.getElementById(id);

function show() {
  const { state } = auth;
  byId("login").hidden = state.status !== "out";
  byId("user").hidden = state.status !== "in";
  const trouble = state.trouble ? " The service does not answer, and you are still logged in." : "";
  byId("status").textContent =
    state.status === "in"
      ? `You are ${state.subject}.${trouble}`
      : state.status === "out"
        ? "Please log in."
        : "";
}
auth.subscribe(show);
show();

async function logIn(form) {
  byId("refused").textContent = "";
  try {
    await auth.login(Object.fromEntries(new FormData(form)));
  } catch (error) {
    const isRefused = error instanceof LoginRefused && error.cause === "invalid_credentials";
    byId("refused").textContent = isRefused
      ? "The name or the password is wrong."
      : "The service does not answer. Try again.";
  }
}

async function greet() {
  const response = await auth.fetch("/greeting").catch(() => null);
  byId("greeting").textContent = response?.ok ? await response.text() : "The service does not answer.";
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  void logIn(event.currentTarget);
});
byId("greet").addEventListener("click", () => void greet());
byId("logout").addEventListener("click", () => void auth.logout());
