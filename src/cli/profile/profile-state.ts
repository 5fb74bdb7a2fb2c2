import type { Contact, Results } from "../../engine/api.ts"
import type { Fault } from "../../errors.ts"
import type { Settings } from "../../settings.ts"
import type { OpenedClient } from "./open-client.ts"

/** What a profile is like, as far as it can be seen without asking for anything. */
export type ProfileState =
  | { readonly kind: "no-profile" }
  /** The keys are locked, and nothing that could open them is at hand. */
  | { readonly kind: "locked"; readonly settings: Settings | undefined; readonly isDaemon: boolean }
  | { readonly kind: "fault"; readonly fault: Fault }
  | {
      readonly kind: "open"
      readonly status: Results["status"]
      readonly contacts: readonly Contact[]
      readonly owner: OpenedClient["owner"]
      readonly here: boolean
    }
