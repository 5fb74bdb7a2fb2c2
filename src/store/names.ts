/** As the index of ids has it: two NULLs are not equal. */
export const AUTHOR = "ifnull(author, 0)"
/** No contact has this number. */
export const WE = 0
