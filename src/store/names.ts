/** As the index of ids has it: two NULLs are not equal. */
export const AUTHOR = "ifnull(author, 0)"
/** No contact has this number. */
export const WE = 0

/** Of the contact ?1. */
export const DEVICES_OF = "SELECT id FROM devices WHERE contact = ?1"
export const DIRECT = "SELECT id FROM conversations WHERE contact = ?1"

/** What becomes of a message after it was sent. */
export const CHANGE_KINDS = ["edit", "delete", "reaction"] as const
