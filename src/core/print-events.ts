import type { Channel } from "node:diagnostics_channel";
import { debuglog } from "node:util";

const debug = debuglog("holdfast");

/**
 * Prints every event of the channels to stderr when `NODE_DEBUG` is `holdfast`. Otherwise it adds no subscriber, so that
 * publishers skip even the construction of an event that the application does not subscribe to.
 */
export function printEvents(channels: readonly Pick<Channel, "subscribe">[]): void {
  if (!debug.enabled) return;
  for (const events of channels) {
    events.subscribe((event, name) => debug("%s %j", name, event));
  }
}
