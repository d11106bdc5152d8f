import { createAuthClient, LoginRefused } from "holdfast/client";

const fromServer = (name) => document.querySelector(`meta[name=${name}]`).content;
const byId = (id) => document.getElementById(id);

/** Keeps the session in the tab, so that two tabs can have two users. By default all tabs share one session. */
const tabStorage = {
  persistence: "memory",
  async update(change) {
    const stored = JSON.parse(sessionStorage.getItem("chat.session") ?? "null");
    const next = change(stored) ?? stored;
    if (next !== stored) sessionStorage.setItem("chat.session", JSON.stringify(next));
    return next;
  },
};

const auth = createAuthClient({
  baseUrl: fromServer("provider"),
  origins: [location.origin],
  storage: tabStorage,
});

/** The connection to the room. `null` without a user. */
let room = null;
let isIn = false;
/** The code with which the last connection was lost. */
let lostWith = null;

// The display

function show(text, mood) {
  byId("status").textContent = text;
  byId("status").dataset.mood = mood;
}

function append(list, ...nodes) {
  const item = document.createElement("li");
  item.append(...nodes);
  list.append(item);
  list.scrollTop = list.scrollHeight;
  return item;
}

function note(text) {
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString("en-GB");
  append(byId("events"), time, text);
}

function showPlug(isPluggedIn) {
  byId("plug").textContent = isPluggedIn ? "plugged in" : "unplugged";
  byId("plug").dataset.mood = isPluggedIn ? "good" : "bad";
  document.querySelector('[data-post="/plug-in"]').disabled = isPluggedIn;
  document.querySelector('[data-post="/pull-plug"]').disabled = !isPluggedIn;
}

function showToken() {
  const { status, expiresAt } = auth.state;
  const left = Math.max(0, Math.round((expiresAt - Date.now()) / 1000));
  const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`;
  byId("token").textContent = status !== "in" ? "none" : left === 0 ? "over" : time;
}
setInterval(showToken, 1000);

let degraded = null;

function showDegraded(cause) {
  if (cause !== degraded)
    note(cause === null ? "no longer degraded: the provider confirmed the token" : `degraded: ${cause}`);
  degraded = cause;
  byId("asked").textContent = cause === null ? "confirms the token" : cause;
  const { subject } = auth.state;
  if (cause === null) show(`${subject}, in the room`, "good");
  else show(`${subject}, in the room. Degraded: the provider does not answer`, "warn");
}

// The connection

const handlers = {
  state: ({ pluggedIn, degraded: cause, names }) => {
    showPlug(pluggedIn);
    showDegraded(cause);
    byId("names").textContent = `In the room: ${names.join(", ")}`;
  },
  joined: ({ name }) => append(byId("messages"), `${name} came`).classList.add("notice"),
  left: ({ name }) => append(byId("messages"), `${name} left`).classList.add("notice"),
  said: ({ name, text }) => {
    const who = document.createElement("b");
    who.textContent = name;
    append(byId("messages"), who, text);
  },
};

const meanings = {
  1000: "logged out",
  4401: "the token expired",
  4408: "no token came in time",
  4429: "too many connections",
  4453: "the token cannot be checked now",
  4501: "the token is not valid",
  4502: "a scope is missing",
  4503: "the session was revoked",
  4504: "the new token belongs to another user",
};
const meaningOf = (code) => `closed with ${code}: ${meanings[code] ?? "the connection broke"}`;

/** The client refreshes the token over the open connection, and connects again after a loss. The page only shows it. */
function enterRoom() {
  show("connecting", "idle");
  room = auth.connect(`ws://${location.host}/room`, {
    firstMessage: true, // The close code then tells why a connection is refused.
    onMessage: (data) => handlers[JSON.parse(data).type]?.(JSON.parse(data)),
    onOpen() {
      isIn = true;
      note("connected");
    },
    onLost(code) {
      isIn = false;
      lostWith = code;
      note(`${meaningOf(code)}. The client connects again`);
      show(`${meaningOf(code)}, reconnecting`, "warn");
    },
    onEnd({ code }) {
      isIn = false;
      room = null;
      // A revoked session ends the client at its next refresh. The page names the code before that.
      const cause = code === 1000 && auth.state.cause === "invalid_grant" ? (lostWith ?? 4503) : code;
      byId("asked").textContent = "not asked";
      note(`${meaningOf(cause)}. This page does not reconnect`);
      show(
        cause === 1000 ? "logged out" : `${meaningOf(cause)}. Log in again.`,
        cause === 1000 ? "idle" : "bad",
      );
    },
  });
}

// The session

let before = auth.state;

function follow() {
  const { state } = auth;
  byId("login").hidden = state.status !== "out";
  byId("chat").hidden = state.status !== "in";
  byId("logout").hidden = state.status !== "in";
  if (state.status === "in" && room === null) enterRoom();
  if (state.status === "out" && state.cause === null) show("not logged in", "idle");
  if (state.status === "in" && before.status === "in") {
    if (state.expiresAt !== before.expiresAt) note("refreshed: a new token replaced the old one");
    if (state.trouble !== null && before.trouble === null)
      note("refresh postponed: the provider does not answer. Not logged out");
  }
  before = state;
  showToken();
}
auth.subscribe(follow);
void auth.ready.then(follow);

// The actions of the user

async function logIn(form) {
  byId("refused").textContent = "";
  try {
    const username = form.elements.username.value;
    await auth.login({ username, password: form.elements.password.value });
    form.reset();
    note(`logged in as ${username}`);
  } catch (error) {
    const isRefused = error instanceof LoginRefused && error.cause === "invalid_credentials";
    byId("refused").textContent = isRefused
      ? "Wrong name or password."
      : "The provider does not answer. Try again later.";
  }
}

function say(field) {
  if (field.value.trim() === "" || !isIn) return;
  room.send(field.value);
  field.value = "";
}

async function control(path) {
  await fetch(path, { method: "POST" });
  if (path === "/pull-plug" || path === "/plug-in") showPlug(path === "/plug-in");
}

function onSubmit(form, what) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    what(form);
  });
}

onSubmit(byId("login"), (form) => void logIn(form));
onSubmit(byId("composer"), (form) => say(form.elements.text));
byId("logout").addEventListener("click", () => void auth.logout());
for (const button of document.querySelectorAll("[data-post]")) {
  button.addEventListener("click", () => void control(button.dataset.post));
}
showPlug(fromServer("plugged-in") === "true");
