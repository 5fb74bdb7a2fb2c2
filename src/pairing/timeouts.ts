/** How often an unanswered message is repeated: messages get lost when a broker restarts [P-20]. */
export const REPEAT_MS = 2_000
/** How long a new owner listens for one that holds the nameplate already [P-21]. */
export const LISTEN_MS = 300
/** How long an unused code is valid: the longer, the more likely it was overheard. */
export const CODE_LIFETIME_MS = 600_000
/** From an answer to its proof: two round trips, and a write to a slow disk. */
export const PROOF_WITHIN_MS = 30_000
/** An owner claims within a round trip, or with its next repetition if the question was lost. */
export const CLAIM_WITHIN_MS = REPEAT_MS + 500
/** The owner has to write to its disk, and for a guest asks its registrar for an invitation. */
export const GRANT_WITHIN_MS = 30_000
/** The owner waits a little longer than the caller, who then says that it gave up. */
export const READY_WITHIN_MS = GRANT_WITHIN_MS + REPEAT_MS
/** From the grant to the first message: a newcomer registers and connects again. */
export const FINISH_WITHIN_MS = 120_000
