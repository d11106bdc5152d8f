/** The bound on the live sessions of a subject, and the revocation of the sessions that end because of it. */
export interface SessionCap {
  /** The most live sessions of the subject, the new one included. */
  readonly max: number;
  readonly issuer: string;
  /** `until` of the revocations, epoch ms. */
  readonly until: number;
}
