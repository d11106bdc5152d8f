import { testApi } from "../test-api.js";

testApi(new URL("server.js", import.meta.url));
