import type { SimulatedProcess } from "../../src/testing/simulation/index.ts";
import { runAdministrator } from "./administrator.ts";
import { BrowserClient } from "./browser-client.ts";
import { runKeeper } from "./keeper.ts";
import { Person } from "./person.ts";
import { runProber } from "./prober.ts";
import { runProxy } from "./proxy.ts";
import { runLister } from "./lister.ts";
import type { ActionParts } from "./service-actions.ts";
import type { ClientParts } from "./session.ts";
import { SessionClient } from "./session-client.ts";
import type { PasswordBook } from "./set-password.ts";
import { SocketClient } from "./socket-client.ts";
import type { SocketNetwork } from "../sockets/simulated-socket.ts";
import { runThief } from "./thief.ts";
import { runUserManager } from "./user-manager.ts";

/** The devices of a user who looks at the list of sessions, in a run with upgrades. */
const LISTERS = 2;

/** What the clients of a run share. */
interface AllParts extends ClientParts, ActionParts {
  readonly sockets: SocketNetwork;
  readonly book: PasswordBook;
}

/** Starts the clients. Those that keep a session are returned, because faults hit them. */
export function startClients(parts: AllParts): SimulatedProcess[] {
  const owners = startOwners(parts);
  startOthers(parts);
  return owners;
}

function repeat(count: number, start: (number: number) => SimulatedProcess): SimulatedProcess[] {
  return Array.from({ length: count }, (_, index) => start(index + 1));
}

function peopleOf({ plan }: AllParts): string[] {
  return Array.from({ length: plan.people }, (_, index) => `eve-${index + 1}`);
}

function startOwners(parts: AllParts): SimulatedProcess[] {
  const { world, plan } = parts;
  const { acknowledging, plain, browsers } = plan.clients;
  return [
    ...repeat(acknowledging, (number) => {
      const kind = { user: `ann-${number}`, acknowledges: true };
      return world.process(
        `client-a${number}`,
        async (context) => await new SessionClient(context, parts, kind).run(),
      );
    }),
    ...repeat(plain, (number) => {
      const kind = { user: `bob-${number}`, acknowledges: false };
      return world.process(
        `client-b${number}`,
        async (context) => await new SessionClient(context, parts, kind).run(),
      );
    }),
    ...repeat(browsers, (number) => {
      const user = `cat-${number}`;
      return world.process(
        `browser-${number}`,
        async (context) => await new BrowserClient(context, parts, user).run(),
      );
    }),
    ...repeat(plan.sockets.clients, (number) => {
      const owner = { user: `dan-${number % 2}`, acknowledges: true };
      const process: SimulatedProcess = world.process(
        `socket-${number}`,
        async (context) => await new SocketClient(context, { ...parts, process: () => process }, owner).run(),
      );
      return process;
    }),
    ...peopleOf(parts).map((user) =>
      world.process(user, async (context) => await new Person(context, parts, user).run()),
    ),
  ];
}

function startOthers(parts: AllParts): void {
  const { world, plan } = parts;
  const { keepers, thieves, administrators } = plan.clients;
  const people = peopleOf(parts);
  if (people.length > 0)
    world.process("user-manager", async (context) => await runUserManager(context, parts, people));
  repeat(plan.proxies, (number) =>
    world.process(`proxy-${number}`, async (context) => await runProxy(context, parts)),
  );
  repeat(plan.probers, (number) =>
    world.process(`prober-${number}`, async (context) => await runProber(context, parts)),
  );
  repeat(plan.upgrades.length > 0 ? LISTERS : 0, (number) =>
    world.process(`lister-${number}`, async (context) => await runLister(context, parts, "fay")),
  );
  repeat(keepers, (number) =>
    world.process(`keeper-${number}`, async (context) => await runKeeper(context, parts)),
  );
  repeat(thieves, (number) =>
    world.process(`thief-${number}`, async (context) => await runThief(context, parts)),
  );
  repeat(administrators, (number) =>
    world.process(`administrator-${number}`, async (context) => await runAdministrator(context, parts)),
  );
}
