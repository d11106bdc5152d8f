import { spawnSync } from "node:child_process";

const CLIENT = `
  const [port, text] = process.argv.slice(1);
  const socket = require("node:net").connect(Number(port), "127.0.0.1", () => socket.write(text, () => socket.resetAndDestroy()));`;

/**
 * Sends the text to a port of this process, and resets the connection. `spawnSync` pauses this process, as a stopped
 * service is paused, so that the reset comes before Node accepts the connection.
 */
export function sendAndResetDuringPause(port: string, text: string): void {
  const { status } = spawnSync(process.execPath, ["-e", CLIENT, port, text]);
  if (status !== 0) throw new Error(`the client ended with ${status}`);
}
