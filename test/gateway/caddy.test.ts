import { proxyContract } from "./contract.ts";

proxyContract("caddy");
