/** The host name of all services. */
export const AUTH_HOST = "auth.sim";
/** The host name of all processes with a guard, the services included. */
export const API_HOST = "api.sim";
/** The host name of the gateways, which are in the services. */
export const GATEWAY_HOST = "gateway.sim";
export const AUTHORITY_HOST = "authority.sim";
export const AUTH_URL: string = `https://${AUTH_HOST}`;
export const API_URL: string = `https://${API_HOST}`;
export const GATEWAY_URL: string = `https://${GATEWAY_HOST}`;

/** The host name under which one service alone can be asked for its health. */
export function healthHost(service: string): string {
  return `${service}.health.sim`;
}

export function healthUrl(service: string): string {
  return `https://${healthHost(service)}/`;
}

/** The host name under which one process alone answers requests to the API. */
export function ownApiHost(process: string): string {
  return `${process}.api.sim`;
}

export function ownApiUrl(process: string): string {
  return `https://${ownApiHost(process)}/`;
}
