import type { Check } from "../check.ts";
import { ok, skip, warn } from "../finding.ts";

/** The variables have no effect unless Node is told to use them, and the failure looks like a broken network. */
export const proxyCheck: Check = {
  name: "proxy",
  group: "providers",
  run: async ({ network, providers }) => {
    const { proxyVariables, usesProxy, noProxy } = network;
    const [first] = proxyVariables;
    if (first === undefined) return [skip("no variable names an outgoing proxy")];
    if (usesProxy)
      return [ok(`requests use ${first}${noProxy === undefined ? "" : "; NO_PROXY names exceptions"}`)];
    if (providers.length === 0) return [skip(`${first} is set, and no provider is asked`)];
    const detail = `${first} is set, and Node does not use it`;
    return await Promise.resolve([
      warn(detail, "set NODE_USE_ENV_PROXY=1 for the service, or remove the variable"),
    ]);
  },
};
