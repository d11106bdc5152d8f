/** The host name of all services. */
export const AUTH_HOST = "auth.sim";
/** The host name of all processes with a guard, the services included. */
export const API_HOST = "api.sim";
export const AUTHORITY_HOST = "authority.sim";
export const AUTH_URL: string = `https://${AUTH_HOST}`;
export const API_URL: string = `https://${API_HOST}`;
