import * as v from "valibot"

import { Fault } from "../errors.ts"
import { COMMANDS, type ChatClient, type Params } from "./api.ts"
import { catchUp } from "./catch-up.ts"
import { conversationCommands, type Handlers } from "./commands.ts"
import { contactCommands } from "./contacts/commands.ts"
import { outboxCommands } from "./sending/commands.ts"
import { PairingCommands, type PairingDrivers } from "./pairing/commands.ts"
import type { Desk, Ports } from "./ports.ts"
import { openWorks } from "./works.ts"

/** Loaded when somebody pairs: most commands never do, and should not wait for it. */
const DRIVERS: PairingDrivers = {
  startOffer: async (desk, wish, to) => (await import("./pairing/offer.ts")).startOffer(desk, wish, to),
  answerOffer: async (desk, wish) => (await import("./pairing/answer.ts")).answerOffer(desk, wish),
}
const enter = async (desk: Desk, wish: Params<"register">) =>
  (await import("./register.ts")).register(desk, wish)

/**
 * The engine of one profile, in this process. It starts connecting at once; commands work while it is offline. The
 * store stays the caller's to close, after `close`. Faults of `Store`.
 */
export async function openEngine(ports: Ports): Promise<ChatClient> {
  const works = await openWorks(ports)
  const pairing = new PairingCommands(works.desk, DRIVERS)
  const handlers: Handlers = {
    ...conversationCommands(works),
    ...contactCommands(works),
    ...outboxCommands(works),
    "catch-up": () => catchUp(works),
    "pair-offer": (params) => pairing.offer(params, "person"),
    "device-offer": ({ words }) => pairing.offer({ by: "code", words }, "device"),
    "pair-answer": (params) => pairing.answer(params),
    "pair-cancel": () => pairing.cancel(),
    register: (params) => enter(works.desk, params),
    export: async (params) => (await import("./backing-up.ts")).backUp(works, params),
  }
  return {
    call: async (command, params) => {
      if (!v.is(COMMANDS[command].params, params)) {
        throw new Fault("usage", `${command} was asked with parameters that do not fit`)
      }
      return handlers[command](params)
    },
    listen: works.tidings.listen,
    close: async () => {
      await pairing.close()
      await works.close()
    },
  }
}
