import type { Debug } from "../../debug/debug.ts"
import type { PathsEnv, ProfilePaths } from "../../paths.ts"
import type { Lifetime } from "./lifetime.ts"
import type { Output } from "./output.ts"

/** Where a passphrase comes from if nobody is asked for it. */
export type PassphraseSource = { readonly file?: string; readonly fd?: number }

/** What every command is given. */
export type Context = {
  readonly env: PathsEnv
  readonly profile: string
  readonly paths: ProfilePaths
  readonly out: Output
  readonly lifetime: Lifetime
  readonly debug: Debug
  readonly passphrase: PassphraseSource
  /** Somebody sits at a terminal and may be asked. */
  readonly isInteractive: boolean
}

/** What a command does with its context; its arguments have been read before. */
export type Action = (context: Context) => Promise<void>
/** Hands an action to the running program. */
export type Start = (action: Action) => void
