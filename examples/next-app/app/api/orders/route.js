import { protect } from "holdfast/fetch";
import { fromCookie, guard } from "../../../lib/guard.js";

export const GET = protect(guard, fromCookie, (_request, auth) =>
  Response.json({ orders: ["tea", "a hat"].map((item) => `${item} for ${auth.subject}`) }),
);
