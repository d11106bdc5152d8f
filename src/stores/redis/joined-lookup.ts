import dns, { type LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { afterTurn, systemClock } from "../../core/clock.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";

/** The threads that look up names belong to the process, and so does this map. */
const flights = new SingleFlight<string, LookupAddress[]>();

/**
 * Looks up a name for a connection, and joins the lookup of that name which is under way. Node cannot end a lookup, and a
 * process has two threads for them. Otherwise each attempt to connect would leave another lookup behind while a name server
 * does not answer. The names of providers would wait behind all of them.
 */
export const joinedLookup: LookupFunction = (hostname, options, callback) => {
  const { family, hints } = options;
  const key = JSON.stringify([hostname, family, hints, options.order, options.verbatim]);
  const work = async () => await dns.promises.lookup(hostname, { ...options, all: true });
  const answer = (found: LookupAddress[]) => {
    const [first] = found;
    if (options.all === true || first === undefined) callback(null, found);
    else callback(null, first.address, first.family);
  };
  const fail = (error: NodeJS.ErrnoException) => callback(error, []);
  // The callback must not run within the promise, which would turn what it throws into a rejection.
  flights.run(key, work).then(
    (found) => afterTurn(systemClock, () => answer(found)),
    (error: NodeJS.ErrnoException) => afterTurn(systemClock, () => fail(error)),
  );
};
