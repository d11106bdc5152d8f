import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { redisStore } from "holdfast/redis";
import { createIssuer } from "holdfast/issuer";

const free = createServer().listen(0, "127.0.0.1");
await new Promise((resolve) => free.once("listening", resolve));
const { port } = free.address();
await new Promise((resolve) => free.close(resolve));
const redis = spawn("redis-server", ["--port", String(port), "--save", "", "--appendonly", "no"], {
  stdio: ["ignore", "pipe", "inherit"],
});
await new Promise((resolve) =>
  redis.stdout.on("data", (text) => String(text).includes("Ready to accept") && resolve()),
);
try {
  const secret = randomBytes(32).toString("base64url");
  const store = await redisStore({ url: `redis://127.0.0.1:${port}`, durability: "unchecked" });
  const url = "https://id.example.com";
  const issuer = createIssuer({
    url,
    audience: "https://api.example.com",
    store,
    secret,
    authenticate: () => ({ subject: "alice", scopes: ["read"] }),
  });
  const post = async (path, body) => {
    const headers = { "content-type": "application/json" };
    const response = await issuer.fetch(
      new Request(url + path, { method: "POST", headers, body: JSON.stringify(body) }),
    );
    return { status: response.status, body: await response.json().catch(() => null) };
  };
  const login = await post("/auth/login", { username: "alice", password: "secret" });
  assert.equal(login.status, 200);
  const refreshed = await post("/auth/refresh", { refresh_token: login.body.refresh_token });
  assert.equal(refreshed.status, 200);
  await issuer.close();
  console.log("passed");
} finally {
  redis.kill("SIGKILL");
}
process.exit(0);
