import * as v from "valibot"

import { Fault } from "../errors.ts"
import { COMMANDS, type ChatClient, type Params } from "./api.ts"
import { catchUp } from "./connection/catch-up.ts"
import { conversationCommands, type Handlers } from "./commands/messages.ts"
import { contactCommands } from "./commands/contacts.ts"
import { outboxCommands } from "./commands/outbox.ts"
import { PairingCommands, type PairingDrivers } from "./commands/pairing.ts"
import type { PairingContext, Ports } from "./state/ports.ts"
import { openParts } from "./wiring.ts"

/** Loaded when somebody pairs: most commands never do, and should not wait for it. */
const DRIVERS: PairingDrivers = {
  startOffer: async (context, params, to) =>
    (await import("./pairing/offer.ts")).startOffer(context, params, to),
  answerOffer: async (context, params) => (await import("./pairing/answer.ts")).answerOffer(context, params),
}
const registerProfile = async (context: PairingContext, params: Params<"register">) =>
  (await import("./pairing/register.ts")).register(context, params)

/**
 * The engine of one profile, in this process. It starts connecting at once; commands work while it is offline. The
 * store stays the caller's to close, after `close`. Faults of `Store`.
 */
export async function openEngine(ports: Ports): Promise<ChatClient> {
  const parts = await openParts(ports)
  const pairing = new PairingCommands(parts.pairing, DRIVERS)
  const handlers: Handlers = {
    ...conversationCommands(parts),
    ...contactCommands(parts),
    ...outboxCommands(parts),
    "catch-up": () => catchUp(parts),
    "pair-offer": (params) => pairing.offer(params, "person"),
    "device-offer": ({ words }) => pairing.offer({ by: "code", words }, "device"),
    "pair-answer": (params) => pairing.answer(params),
    "pair-cancel": () => pairing.cancel(),
    register: (params) => registerProfile(parts.pairing, params),
    export: async (params) => (await import("./backup/export.ts")).exportBackup(parts, params),
  }
  return {
    call: async (command, params) => {
      if (!v.is(COMMANDS[command].params, params)) {
        throw new Fault("usage", `${command} was asked with parameters that do not fit`)
      }
      return handlers[command](params)
    },
    listen: parts.events.listen,
    close: async () => {
      await pairing.close()
      await parts.close()
    },
  }
}
