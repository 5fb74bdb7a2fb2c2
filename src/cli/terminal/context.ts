import type { Debug } from "../../debug/debug.ts"
import type { PathsEnv, ProfilePaths } from "../../paths.ts"
import type { Lifetime } from "./lifetime.ts"
import type { Output } from "./output.ts"

/** Where a passphrase comes from if the user is not asked for it. */
export type PassphraseSource = {
  readonly file?: string
  readonly fd?: number
  /** Run by the shell; it prints the passphrase. */
  readonly command?: string
}

/** What every command gets. */
export type Context = {
  readonly env: PathsEnv
  readonly profile: string
  readonly paths: ProfilePaths
  readonly out: Output
  readonly lifetime: Lifetime
  readonly debug: Debug
  readonly passphrase: PassphraseSource
  /** There is a terminal, and the user may be asked. */
  readonly isInteractive: boolean
}

/** A command with its arguments already read. */
export type Action = (context: Context) => Promise<void>
/** Hands an action to the running program. */
export type Start = (action: Action) => void
