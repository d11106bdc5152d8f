import { proxyContract } from "./contract.ts";

proxyContract("nginx");
