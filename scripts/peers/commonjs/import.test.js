const { checkToken } = require("./check-token.js");

test("an imported guard accepts a valid token and refuses an expired one", async () => {
  await checkToken(await import("holdfast"), await import("holdfast/testing"));
});
