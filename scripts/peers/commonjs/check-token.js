/* What both Jest tests check, with the modules that each has loaded in its own way. */
exports.checkToken = async ({ createGuard, staticKeys }, { createMint }) => {
  const issuer = "https://id.example.com";
  const audience = "https://api.example.com";
  const mint = await createMint({ issuer, audience });
  const guard = createGuard({ issuer, audience, keys: staticKeys(mint.jwks()) });
  expect(await guard.validate(mint.token({ sub: "alice" }))).toMatchObject({
    status: "valid",
    subject: "alice",
  });
  expect(await guard.validate(mint.token({ exp: 1 }))).toMatchObject({ status: "invalid" });
  await guard.close();
};
