/** A session message and a link request start with a tag that identifies them [S-24] [W-44]. */
export const TAG_BYTES = 16
/** Names a session message on the wire; its first 8 bytes are enough for a receipt. */
export const MID_BYTES = 16
/** The live devices of an account: a text is sealed for each, and few people use more machines. */
export const DEVICES_MAX = 8
/** The author chooses it at random, once; it names the message for good, in every session [W-51]. */
export const MESSAGE_ID_BYTES = 8
/** What a message said first, so that no other can be put in its place [W-52]. */
export const DIGEST_BYTES = 16
/** The first bytes of an account id, which tell the authors of one conversation apart [W-53]. */
export const AUTHOR_BYTES = 8
/** A bundle starts a session: the owner's public keys, where they receive, and a signature [S-2]. */
export const BUNDLE_BYTES = 1402
/** Names an account for good: the head of the first link of its chain. */
export const ACCOUNT_ID_BYTES = 32
/** Names a group for good: a hash of who made it and of random bytes [G-1]. */
export const GROUP_ID_BYTES = 16
/** Makes the ids of two groups of one founder differ [G-1]. */
export const FOUNDING_RANDOM_BYTES = 32
