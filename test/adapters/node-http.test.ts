import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { protect, type AuthenticatedRequest } from "../../src/adapters/node-http.ts";
import { adapterContract, over } from "./contract.ts";

adapterContract({
  name: "node:http",
  protect: (guard, rules) => protect(guard, rules, () => {}),
  async serve(t, guard, chain, handle) {
    const handler: RequestListener = (req, res) => res.end(handle((req as AuthenticatedRequest).auth));
    const listener = chain.reduceRight((inner, rules) => protect(guard, rules, inner), handler);
    const server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return over((server.address() as AddressInfo).port);
  },
});
