/** A contact's local number: 1, 2, 3, ... and never used again. */
export type ContactId = number

/** A device's local number: 1, 2, 3, ... and never used again. */
export type DeviceId = number

declare const conversation: unique symbol

/** A conversation's local number, never used again. Branded: most have the number of their contact, and not all. */
export type ConversationId = number & { readonly [conversation]: true }
