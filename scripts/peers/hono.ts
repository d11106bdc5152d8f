import { Hono } from "hono";
import { protect } from "holdfast/hono";
import type { Guard } from "holdfast";

declare const guard: Guard;
// The compiler checks that the types of this minor version of Hono take the middleware.
const app = new Hono();
app.get("/", protect(guard, { scopes: ["read"] }), (c) => c.text(`hello ${c.var.auth.subject}`));
export default app as unknown;
