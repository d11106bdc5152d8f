/* Builds and starts the Next.js example in this folder, logs in as a page does, and reads the orders with the cookie. */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

const origin = "http://localhost:3210";
const child = spawn(process.execPath, ["start.mjs"], {
  env: { ...process.env, PORT: "3210", AUTH_PORT: "4210" },
  stdio: "inherit",
});

const ask = async (path, headers = {}, init = {}) =>
  await fetch(origin + path, { ...init, headers: { origin, ...headers } });
const expect = (what, got, wanted) => {
  if (got !== wanted) throw new Error(`${what}: expected ${wanted}, got ${got}`);
};

try {
  for (;;) {
    if (child.exitCode !== null) throw new Error("The example has ended.");
    const status = await ask("/api/orders").then(
      (response) => response.status,
      () => 0,
    );
    if (status === 401) break;
    await sleep(500);
  }
  const page = await (await ask("/")).text();
  if (!page.includes("…")) throw new Error("The page that the server renders does not load the session.");

  const login = await ask(
    "/auth/login",
    { "X-Holdfast": "1", "Content-Type": "application/json" },
    { method: "POST", body: JSON.stringify({ username: "alice", password: "wonderland" }) },
  );
  expect("the login", login.status, 200);
  const cookie = login.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
  const orders = await ask("/api/orders", { cookie });
  expect("the orders", orders.status, 200);
  const listed = (await orders.json()).orders.map((order) => order.split(" for ")[0]).join();
  expect("the orders", listed, "tea,a hat");
  const foreign = await ask("/api/orders", { cookie, origin: "https://evil.example" });
  expect("a foreign page", foreign.status, 403);
  console.log("passed");
} finally {
  child.kill();
}
