const holdfast = require("holdfast");
const testing = require("holdfast/testing");
const { checkToken } = require("./check-token.js");

test("a required guard accepts a valid token and refuses an expired one", async () => {
  await checkToken(holdfast, testing);
});
