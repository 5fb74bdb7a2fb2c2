import * as v from "valibot"

import { Fault } from "../errors.ts"
import { COMMANDS, type ChatClient, type Command, type Params, type Results } from "./api.ts"
import { catchUp } from "./catch-up.ts"
import { CONVERSATION_COMMANDS } from "./commands.ts"
import { PairingCommands, type PairingDrivers } from "./pairing-commands.ts"
import type { Desk, Ports } from "./ports.ts"
import { openWorks } from "./works.ts"

/** Loaded when somebody pairs: most commands never do, and should not wait for it. */
const DRIVERS: PairingDrivers = {
  startOffer: async (desk, wish, to) => (await import("./pair-offer.ts")).startOffer(desk, wish, to),
  answerOffer: async (desk, wish) => (await import("./pair-answer.ts")).answerOffer(desk, wish),
}
const enter = async (desk: Desk, wish: Params<"register">) =>
  (await import("./register.ts")).register(desk, wish)

type Handlers = { readonly [C in Command]: (params: Params<C>) => Promise<Results[C]> }

/**
 * The engine of one profile, in this process. It starts connecting at once; commands work while it is offline. The
 * store stays the caller's to close, after `close`. Faults of `Store`.
 */
export async function openEngine(ports: Ports): Promise<ChatClient> {
  const works = await openWorks(ports)
  const pairing = new PairingCommands(works.desk, DRIVERS)
  const talk = CONVERSATION_COMMANDS
  const handlers: Handlers = {
    status: (params) => talk.status(works, params),
    "catch-up": () => catchUp(works),
    send: (params) => talk.send(works, params),
    history: (params) => talk.history(works, params),
    search: (params) => talk.search(works, params),
    inbox: (params) => talk.inbox(works, params),
    shown: (params) => talk.shown(works, params),
    contacts: (params) => talk.contacts(works, params),
    rename: (params) => talk.rename(works, params),
    block: (params) => talk.block(works, params),
    forget: (params) => talk.forget(works, params),
    verify: (params) => talk.verify(works, params),
    "mark-verified": (params) => talk["mark-verified"](works, params),
    "pair-offer": (params) => pairing.offer(params, "person"),
    "device-offer": ({ words }) => pairing.offer({ by: "code", words }, "device"),
    "pair-answer": (params) => pairing.answer(params),
    "pair-cancel": () => pairing.cancel(),
    register: (params) => enter(works.desk, params),
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
