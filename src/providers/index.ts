export { auth0, type Auth0Options } from "./auth0.ts";
export { clerk, type ClerkOptions } from "./clerk.ts";
export { cognito, type CognitoOptions } from "./cognito.ts";
export { firebase, type FirebaseOptions } from "./firebase.ts";
export { google, type GoogleOptions } from "./google.ts";
export { keycloak, type KeycloakOptions } from "./keycloak.ts";
export { okta, type OktaOptions } from "./okta.ts";
export { supabase, type SupabaseOptions } from "./supabase.ts";
