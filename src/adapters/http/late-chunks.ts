import type { IncomingMessage } from "node:http";

/**
 * Drops the rest of the body of a destroyed request. The issuer cancels a body that it refuses, which destroys the
 * request. Node still emits the chunks that have arrived. Its adapter to a web stream then throws outside of every
 * handler, which would end the process.
 */
export function dropLateChunks(req: IncomingMessage): void {
  const destroy = req.destroy.bind(req);
  req.destroy = (error) => {
    req.removeAllListeners("data");
    return destroy(error);
  };
}
