import { proxyContract } from "./contract.ts";

proxyContract("haproxy");
