const fromServer = (name) => document.querySelector(`meta[name=${name}]`).content;
const provider = fromServer("provider");
const byId = (id) => document.getElementById(id);

/** The session belongs to the tab, so that two tabs can have two users. */
const KEY = "chat.session";
let session = JSON.parse(sessionStorage.getItem(KEY) ?? "null");

let socket = null;
let isIn = false;
let tokenEndsAt = null;
/** The number of failed connections in a row. */
let failures = 0;
/** Whether the last connection was refused as invalid. The page refreshes once, and then needs a login. */
let wasInvalid = false;
/** The timer of the next reconnect or refresh. */
let planned;

// The display

function show(text, mood) {
  byId("status").textContent = text;
  byId("status").dataset.mood = mood;
  byId("login").hidden = session !== null;
  byId("chat").hidden = session === null;
  byId("logout").hidden = session === null;
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
  const left = Math.max(0, Math.round((tokenEndsAt - Date.now()) / 1000));
  byId("token").textContent =
    tokenEndsAt === null
      ? "none"
      : left === 0
        ? "over"
        : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} left`;
}
setInterval(showToken, 1000);

let degraded = null;

function showDegraded(cause) {
  if (cause !== degraded)
    note(cause === null ? "no longer degraded: the provider confirmed the token" : `degraded: ${cause}`);
  degraded = cause;
  byId("asked").textContent = cause === null ? "confirms the token" : cause;
  if (cause === null) show(`${session.name}, in the room`, "good");
  else show(`${session.name}, in the room. Degraded: the provider does not answer`, "warn");
}

// The session

function keep(name, { access_token, refresh_token }) {
  session = { name, access_token, refresh_token };
  sessionStorage.setItem(KEY, JSON.stringify(session));
}

function forget(text, mood) {
  clearTimeout(planned);
  session = null;
  tokenEndsAt = null;
  isIn = false;
  sessionStorage.removeItem(KEY);
  const open = socket;
  socket = null;
  open?.close();
  byId("asked").textContent = "not asked";
  showToken();
  show(text, mood);
}

/** Resolves with the answer of the provider. `null` when it gave none, or answered 429 or 5xx. */
async function ask(path, body) {
  try {
    const signal = AbortSignal.timeout(5000);
    const headers = { "content-type": "application/json" };
    const answer = await fetch(provider + path, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal,
    });
    if (answer.status >= 500 || answer.status === 429) return null;
    return { ok: answer.ok, body: answer.status === 204 ? {} : await answer.json() };
  } catch {
    return null;
  }
}

/** Resolves with "fresh", with "over" when the session has ended, or with "later" when the provider gave no answer. */
async function refresh() {
  const asked = session;
  const answer = await ask("/auth/refresh", { refresh_token: asked.refresh_token });
  if (session !== asked) return "over";
  if (answer === null) return "later";
  if (answer.ok) keep(session.name, answer.body);
  return answer.ok ? "fresh" : answer.body.error === "invalid_grant" ? "over" : "later";
}

function plan(ms, what) {
  clearTimeout(planned);
  planned = setTimeout(() => void what(), ms);
}

/** Refreshes over the connection. It stays open, and no message is lost. */
async function refreshOpen() {
  const outcome = await refresh();
  if (outcome === "later") {
    note("refresh postponed: the provider does not answer");
    plan(2000 + Math.random() * 1000, refreshOpen);
  } else if (outcome === "fresh" && isIn) presentToken();
}

// The connection

function presentToken() {
  socket.send(JSON.stringify({ type: "auth.token", token: session.access_token }));
}

function connect() {
  const opened = new WebSocket(`ws://${location.host}/room`);
  socket = opened;
  show("connecting", "idle");
  opened.addEventListener("open", presentToken);
  opened.addEventListener(
    "message",
    ({ data }) => socket === opened && handlers[JSON.parse(data).type]?.(JSON.parse(data)),
  );
  opened.addEventListener("close", ({ code, reason }) => socket === opened && closed(code, reason));
}

const handlers = {
  "auth.ok": ({ expires_in, degraded: cause }) => {
    note(isIn ? "refreshed: a new token replaced the old one" : "connected");
    isIn = true;
    failures = 0;
    wasInvalid = false;
    tokenEndsAt = Date.now() + expires_in * 1000;
    showToken();
    showDegraded(cause);
  },
  "auth.expiring": ({ expires_in }) => {
    note(`the token expires in ${expires_in} s: refreshing`);
    void refreshOpen();
  },
  "auth.refused": ({ error, retry_after = 3 }) => {
    note(`new token refused: ${error}`);
    plan(retry_after * 1000, refreshOpen);
  },
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
  4401: "the token expired",
  4408: "no token came in time",
  4429: "too many connections",
  4453: "the token cannot be checked now",
  4501: "the token is not valid",
  4502: "a scope is missing",
  4503: "the session was revoked",
  4504: "the new token belongs to another user",
};

/** After 4400 to 4499 the page connects again, and after 4500 to 4599 it does not. Other codes are network errors. */
function closed(code, reason) {
  isIn = false;
  clearTimeout(planned);
  const why = `closed with ${code}: ${meanings[code] ?? "the connection broke"}`;
  if (code === 4501 && !wasInvalid) {
    wasInvalid = true;
    note(`${why}. Refreshing once`);
    void reconnectRefreshed();
    return;
  }
  if (code >= 4500 && code < 4600) {
    note(`${why}. This page does not reconnect`);
    forget(`${why}. Log in again.`, "bad");
    return;
  }
  const { retry_after = Math.min(30, 2 ** failures++) * (0.5 + Math.random()) } =
    reason === "" ? {} : JSON.parse(reason);
  note(`${why}. Reconnecting in ${retry_after.toFixed(1)} s`);
  show(`${why}, reconnecting`, "warn");
  plan(retry_after * 1000, code === 4401 || code === 4408 ? reconnectRefreshed : connect);
}

async function reconnectRefreshed() {
  const outcome = await refresh();
  if (outcome === "fresh") connect();
  else if (outcome === "later") {
    note("cannot refresh: the provider does not answer. Not logged out");
    show("waiting for the provider", "warn");
    plan(2000 + Math.random() * 1000, reconnectRefreshed);
  } else if (session !== null) forget("the session has ended. Log in again.", "bad");
}

// The actions of the user

async function logIn(form) {
  const username = form.elements.username.value;
  const answer = await ask("/auth/login", { username, password: form.elements.password.value });
  const refused =
    answer === null ? "The provider does not answer. Try again later." : "Wrong name or password.";
  byId("refused").textContent = answer?.ok ? "" : refused;
  if (!answer?.ok) return;
  form.reset();
  keep(username, answer.body);
  note(`logged in as ${username}`);
  connect();
}

async function logOut() {
  const answer = await ask("/auth/logout", { refresh_token: session.refresh_token });
  if (answer === null) note("not logged out: the provider does not answer. Try again later");
  else forget("logged out", "idle");
}

function say(field) {
  if (field.value.trim() === "" || !isIn) return;
  socket.send(field.value);
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
byId("logout").addEventListener("click", () => void logOut());
for (const button of document.querySelectorAll("[data-post]")) {
  button.addEventListener("click", () => void control(button.dataset.post));
}

showPlug(fromServer("plugged-in") === "true");
if (session === null) show("not logged in", "idle");
else connect();
