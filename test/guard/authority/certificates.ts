/*
 * Made for these tests and of no use elsewhere: one key, and two certificates that it signed for itself. Remade with
 * `openssl ca -selfsign -startdate … -enddate …`.
 */

export const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQggm3yJG/P4O1jXNML
Wx4BS8K76QQeWTy3oGAL92qeDQahRANCAATkicdcc3GyMLm5t8vgz3famXJl73Po
eFirOUhRx/NKXyKKi+2k/6OBh+LUhbCRF+qlGYwfks0rn8IT0V69Bn35
-----END PRIVATE KEY-----`;

/** For 127.0.0.1, of 1 January 2020, for one day. */
export const expired = `-----BEGIN CERTIFICATE-----
MIIBZjCCAQugAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwHhcNMjAwMTAxMDAwMDAwWhcNMjAwMTAyMDAwMDAwWjAUMRIwEAYDVQQDDAls
b2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATkicdcc3GyMLm5t8vg
z3famXJl73PoeFirOUhRx/NKXyKKi+2k/6OBh+LUhbCRF+qlGYwfks0rn8IT0V69
Bn35o04wTDAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwDwYDVR0TAQH/BAUw
AwEB/zAdBgNVHQ4EFgQUUhq3m3GExn+0esaavb8RaZakt3owCgYIKoZIzj0EAwID
SQAwRgIhAJgu37nLkn0uDWejTOfa8hhohm8h9pX3HkTOYSDcDFZEAiEA1jNmSfze
zQuifVXgNRgbhTWQtC9cqA8ycct4Gp64e1A=
-----END CERTIFICATE-----`;

/** For other.example, from 2020 to 2120. */
export const othersName = `-----BEGIN CERTIFICATE-----
MIIBbTCCAROgAwIBAgIBAjAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1vdGhlci5l
eGFtcGxlMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD
VQQDDA1vdGhlci5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5InH
XHNxsjC5ubfL4M932plyZe9z6HhYqzlIUcfzSl8iiovtpP+jgYfi1IWwkRfqpRmM
H5LNK5/CE9FevQZ9+aNMMEowGAYDVR0RBBEwD4INb3RoZXIuZXhhbXBsZTAPBgNV
HRMBAf8EBTADAQH/MB0GA1UdDgQWBBRSGrebcYTGf7R6xpq9vxFplqS3ejAKBggq
hkjOPQQDAgNIADBFAiEAuPlFlMxazIA2tQAcL67ND76oi3d8BTK8cqwNl+iPP78C
IESpJCtrB7QcWURBERMgheop50oNPBFehgxMoF8/R/ct
-----END CERTIFICATE-----`;
