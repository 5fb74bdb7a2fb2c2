/** How often an unanswered message is repeated: messages get lost when a broker restarts [P-20]. */
export const REPEAT_MS = 2_000
/** How long a new owner listens for one that holds the nameplate already [P-21]. */
export const LISTEN_MS = 300
/** How long an unused code is valid: the longer, the more likely it was overheard. */
export const CODE_LIFETIME_MS = 600_000
/** From the one answer to its proof, a newcomer's registration with the broker included. */
export const PROOF_WITHIN_MS = 120_000
/** An owner claims within a round trip, or with its next repetition if the question was lost. */
export const CLAIM_WITHIN_MS = REPEAT_MS + 500
/** The owner may have to ask its registrar for an invitation first. */
export const GRANT_WITHIN_MS = 30_000
