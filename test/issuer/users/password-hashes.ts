/** Hashes of the password `pässword of bob`, made by passlib 1.7, Django, Werkzeug and argon2-cffi. */
export const passwordHashes: readonly (readonly [from: string, hash: string])[] = [
  ["passlib pbkdf2", "$pbkdf2$1000$T.ndWwvhPAdA6J0zxliL0Q$uCNw74SNq8XdvZB1oXJf5E0lOOg"],
  [
    "passlib pbkdf2-sha256",
    "$pbkdf2-sha256$1000$Nobw/l/Lufd.z1lLaU3JmQ$2vNbUTwE3Vsmjr2ZcSJeMZ/gijpaml65ATvAb5wn6ro",
  ],
  [
    "passlib pbkdf2-sha512",
    "$pbkdf2-sha512$1000$3zvHWIsxRqi1FiIEQGjt/Q$SVZkfyxSD3OPK2dwUe1gGayuL/oaKAJafT.t4PSHk68muIOBvcOMzn3azvFhKAz2Xmc6qcFNHmBFLN2qc4vIMA",
  ],
  [
    "passlib scrypt",
    "$scrypt$ln=10,r=8,p=1$iJEyxhiDkJJyjpHSGiPkPA$TBV0b9DjkD67rX1WqsjryHzWV+qYvTTDRMNo/VvtTYk",
  ],
  [
    "passlib LDAP pbkdf2-sha256",
    "{PBKDF2-SHA256}1000$ek8JYeydc875P4ewNiYkxA$b16JlJhng8VZOp.YVw6YKF6FjwsldFfsif3A186lgyc",
  ],
  ["Django pbkdf2_sha256", "pbkdf2_sha256$1000$saltsaltsalt$ww1lcLH0vnkd8sI9aJNFYd7u757jCS7V+h8xf1IaV9E="],
  ["Django pbkdf2_sha1", "pbkdf2_sha1$1000$saltsaltsalt$wFMeKMThK/qs0FrwzyYsaKi9Cug="],
  [
    "Django scrypt",
    "scrypt$1024$saltsaltsalt$8$2$cBRpt6iO0qwsIv7igbkyLeCgDpkZ4YvFyL6r8PqacApCGPB8wtN851nJKmGcjglwYO+9LhO5MG+Ta0fi0czmRQ==",
  ],
  [
    "Django argon2",
    "argon2$argon2id$v=19$m=512,t=1,p=2$c2FsdHNhbHRzYWx0$zqgd3fMxCDK0ZVmVQk7b+fXs5abeBwYg5HC4X7P2cIQ",
  ],
  ["Django bcrypt_sha256", "bcrypt_sha256$$2b$04$mIx8FkjSgZOQDckiqhcCNuP9bh.3OMCqGIOmAHPujDP2xsIMlMDpe"],
  ["Django bcrypt", "bcrypt$$2b$04$wJiA0RYtmfLwcqpjfXco/est.izYQekyhLjaJ1DaHIamawKe0G8F2"],
  [
    "Werkzeug scrypt",
    "scrypt:1024:8:1$jxixYJpFJ4PbIhVB$e7ddd1f06d4ab95202ff3e99130b43049238096379d0af3e8a3c3f7dfdbe9a50658034edb11e5522ec8badb2a2ba6ee835ca7fe27915cb5bea5ac58c3dfc9027",
  ],
  [
    "Werkzeug pbkdf2",
    "pbkdf2:sha256:1000$WYC7bO9UUpVENvfG$fa3247c74b84259df025ca886850c347b37d9f4703caca07b5f4cdb7c83f12ed",
  ],
  ["bcrypt $2b", "$2b$04$yEIt3Eh.pPphr2tWjELAbunxLsuRDcfh8ctRngRxfeO0gDMnV9r6W"],
  ["bcrypt $2y", "$2y$04$yEIt3Eh.pPphr2tWjELAbunxLsuRDcfh8ctRngRxfeO0gDMnV9r6W"],
  ["bcrypt $2a", "$2a$04$yEIt3Eh.pPphr2tWjELAbunxLsuRDcfh8ctRngRxfeO0gDMnV9r6W"],
  ["argon2i v=16", "$argon2i$v=16$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$pnA+23TGPG3XBOjPIB8a07dLW1aSY/UP"],
  [
    "argon2i without a version",
    "$argon2i$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$pnA+23TGPG3XBOjPIB8a07dLW1aSY/UP",
  ],
  ["argon2i v=19", "$argon2i$v=19$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$dGV1nhE13G7+5sQsLNtcJRakYrjWjrlf"],
  ["argon2d v=16", "$argon2d$v=16$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$qSDDW8aB51YHa3WwLP2ol2Ucn0jQhdEW"],
  [
    "argon2d without a version",
    "$argon2d$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$qSDDW8aB51YHa3WwLP2ol2Ucn0jQhdEW",
  ],
  ["argon2d v=19", "$argon2d$v=19$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$aZDvZn/i78A92GcbfOUZn7JTIU7OnyIj"],
  ["argon2id v=16", "$argon2id$v=16$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$/bJt2rdv0PngUWaOQIt0Jo8O+xLeD40C"],
  [
    "argon2id without a version",
    "$argon2id$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$/bJt2rdv0PngUWaOQIt0Jo8O+xLeD40C",
  ],
  ["argon2id v=19", "$argon2id$v=19$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTIzNA$CN9wJwq/zPl5E8EuznC85L+FMhV3ZBQ1"],
  [
    "passlib bcrypt-sha256 v2",
    "$bcrypt-sha256$v=2,t=2b,r=4$bf9.FIosTaK341M35chGAO$vI5y3NCo1zX7tNRcJYx.gI9uLNNtjhO",
  ],
  ["passlib bcrypt-sha256 v1", "$bcrypt-sha256$2b,4$bf9.FIosTaK341M35chGAO$md8a4Yh1hIjrfXCMVbgiRhJTKrfSJIq"],
  ["PHC scrypt", "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$TMCSCEmkZHkzRBKNOnN/pPdeVI05oEYVYJ5Abyez2+Y"],
  [
    "PHC pbkdf2-sha512",
    "$pbkdf2-sha512$i=1000,l=48$MDEyMzQ1Njc4OWFiY2RlZg$7d4pDmPL8Ey9CdJ4ZiZb9iRWhuKFxgoWi0coWYCKy0i8U1gCT60uoAq6q6tz2DMB",
  ],
];

export const HASHED_PASSWORD = "pässword of bob";
