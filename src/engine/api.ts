import * as v from "valibot"

import type { Command, Params, Results } from "./state/commands.ts"
import type { Event } from "./state/events.ts"
import * as shape from "./state/shapes.ts"

export { COMMANDS, type Command, type Params, type Results } from "./state/commands.ts"
export { EVENTS, type Event } from "./state/events.ts"
export type { ConnectionStatus, Contact, Conversation, Message } from "./state/shapes.ts"
export type { Offer } from "./state/pairing-shapes.ts"

const { empty, nothing } = shape

/** Commands that the server of a profile answers itself; these work while the keys are locked. */
export const ACCESS = {
  auth: {
    about:
      "The first line of a TCP connection: the token of the daemon. Anything else closes the connection.",
    params: v.strictObject({ token: shape.token }),
    result: nothing,
  },
  version: {
    about: "The version of the program that answers. Another version may read a request differently.",
    params: empty,
    result: v.strictObject({ version: v.string() }),
  },
  listen: {
    about:
      "Sends events on this connection from now on, as notifications of the method `event`. With `since`, the recorded " +
      "ones after that number come first, without gap or repetition, and the answer follows the last. Faults as `events`.",
    params: v.strictObject({ since: v.exactOptional(shape.eventNumber) }),
    result: nothing,
  },
  lock: {
    about:
      "Disconnects and erases the keys from memory, until `unlock`. Refused for a profile without a passphrase.",
    params: empty,
    result: nothing,
  },
  unlock: {
    about: "Unlocks the keys.",
    params: v.strictObject({ passphrase: shape.passphrase }),
    result: nothing,
  },
  stop: {
    about: "Stops the daemon once it has answered its open requests.",
    params: empty,
    result: nothing,
  },
} as const

/** What every user interface calls: the engine in this process, or the process that owns the profile, over its socket. */
export type ChatClient = {
  readonly call: <C extends Command>(command: C, params: Params<C>) => Promise<Results[C]>
  /** Calls the listener for each event from now on; the returned function stops it. */
  readonly listen: (onEvent: (event: Event) => void) => () => void
  readonly close: () => Promise<void>
}
