import * as v from "valibot"

import type { Command, Params, Results } from "./state/commands.ts"
import type { Event } from "./state/events.ts"
import * as shape from "./state/shapes.ts"

export { COMMANDS, type Command, type Params, type Results } from "./state/commands.ts"
export { EVENTS, type Event } from "./state/events.ts"
export type { ConnectionStatus, Contact, Message, Offer } from "./state/shapes.ts"

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
    about:
      "The version of the program that answers. One of another version may mean something else by a request.",
    params: empty,
    result: v.strictObject({ version: v.string() }),
  },
  listen: {
    about:
      "From now on this connection gets events, as notifications of the method `event`; with `since`, first the recorded " +
      "ones after that number, without gap or repetition, and the answer when all of them were given. Faults as `events`.",
    params: v.strictObject({ since: v.exactOptional(shape.eventNumber) }),
    result: nothing,
  },
  lock: {
    about: "Forgets the keys and disconnects, until `unlock`. Refused where no passphrase locks them.",
    params: empty,
    result: nothing,
  },
  unlock: {
    about: "Opens the keys again.",
    params: v.strictObject({ passphrase: shape.passphrase }),
    result: nothing,
  },
  stop: {
    about: "Ends the daemon, after it has answered what it was asked.",
    params: empty,
    result: nothing,
  },
} as const

/** What every user interface talks to: the engine in this process, or the owner of the profile behind its socket. */
export type ChatClient = {
  readonly call: <C extends Command>(command: C, params: Params<C>) => Promise<Results[C]>
  /** Events from now on; the returned function ends it. */
  readonly listen: (onEvent: (event: Event) => void) => () => void
  readonly close: () => Promise<void>
}
