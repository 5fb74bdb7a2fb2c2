/** A session message and a link request start with a tag that identifies them [S-24] [W-44]. */
export const TAG_BYTES = 16
/** Long enough to name a message for good; its first 8 bytes name it on the wire. */
export const MID_BYTES = 16
/** The live devices of an account: a text is sealed for each, and few people use more machines. */
export const DEVICES_MAX = 8
/** A bundle starts a session: the owner's public keys, where they receive, and a signature [S-2]. */
export const BUNDLE_BYTES = 1402
