/** What a device showed of its account in its last handshake [D-70]. */
export type ShownAccount = {
  /** 32 bytes; empty until its HELLO has come. */
  readonly accountId: Uint8Array
  readonly length: number
  /** 32 bytes; empty until its HELLO has come. */
  readonly head: Uint8Array
  readonly at: number
  /** When the handshake ends by itself unless the chain is verified, unix ms; 0 once it is. */
  readonly until: number
  /** The tag of the offer that the handshake answered, and the user's name for it; empty without one. */
  readonly tag: Uint8Array
  readonly offer: string
}

/** A good chain of an account: the one that is believed, 0, or one that differs from it, 1. */
export type AccountLink = { readonly branch: number; readonly number: number; readonly link: Uint8Array }

export type AccountWrite =
  /** All links that are known of the account of a contact. */
  | { readonly kind: "account-links"; readonly contact: number; readonly links: readonly AccountLink[] }
  /** A link of our own account. */
  | { readonly kind: "own-link"; readonly number: number; readonly link: Uint8Array }
