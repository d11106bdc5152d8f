import { once } from "node:events";
import express from "express";
import { protect } from "holdfast/express";
import { checkRoute, finish, guard } from "./kit.js";

const app = express();
app.get("/", protect(guard, { scopes: ["read"] }), (req, res) => res.send(`hello ${req.auth.subject}`));
const server = app.listen(0, "127.0.0.1");
await once(server, "listening");
await checkRoute(`http://127.0.0.1:${server.address().port}/`);
await finish();
