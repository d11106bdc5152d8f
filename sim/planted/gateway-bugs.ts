import type { PlantedBug } from "./planted-bug.ts";

const gateway = { room: "gateway", file: "gateway/gateway.ts" } as const;

/** Bugs of the gateway. */
export const gatewayBugs: readonly PlantedBug[] = [
  {
    ...gateway,
    name: "a client names its own identity",
    from: `    if (hasIdentityHeader(req.rawHeaders)) return refuse(res, 400, "A client must not send X-Auth headers.");\n`,
    to: "",
  },
  {
    ...gateway,
    name: "the requirements of a rule are dropped",
    from: "const rules = requirements && { ...(audience !== undefined && { audience }), ...requirements };",
    to: "const rules = requirements && { ...(audience !== undefined && { audience }) };",
  },
  {
    ...gateway,
    name: "a path without a rule passes",
    from: `return decided === null || typeof decided === "string" ? whyRefused[decided ?? "none"] : decided;`,
    to: `return typeof decided === "string" ? whyRefused[decided] : (decided ?? everything);`,
  },
  {
    room: "gateway",
    file: "adapters/http/bearer-response.ts",
    name: "a token that cannot be checked is a wrong one",
    from: `    case "unavailable":\n      break;`,
    to: `    case "unavailable":\n      return bearerResponse({ status: "none" }, scopes, parameters);`,
  },
];
