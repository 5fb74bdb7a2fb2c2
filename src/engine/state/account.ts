import type { AccountChain } from "../../account/account-chain.ts"

/** The chain of a contact's account, and the one that it forks from. */
export type Account = { readonly chain: AccountChain; readonly rival: AccountChain | undefined }
