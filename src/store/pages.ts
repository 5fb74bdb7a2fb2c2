/** At most `limit` messages between two others, given by their seq and excluded. */
export type Page = {
  readonly limit: number
  readonly before?: number | undefined
  readonly after?: number | undefined
  /** Only messages that were stored then or later, unix ms. */
  readonly since?: number | undefined
}

/** At most `limit` messages, of one conversation or of all. */
export type IdPage = { readonly limit: number; readonly conversation?: number }

/** The messages of a conversation, counted. */
export type MessageCount = { readonly messages: number; readonly lastSeq: number }

/** Those with a seq greater than `after`, up to `upTo`. */
export type UnshownPage = {
  readonly conversation?: number
  readonly after?: number | undefined
  readonly upTo?: number
  readonly limit?: number | undefined
}

/** What is here of a contact's. */
export type ReceivedTexts = {
  readonly bytes: number
  /** Unix ms, oldest first. */
  readonly times: readonly number[]
}
