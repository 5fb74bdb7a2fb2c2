import * as v from "valibot"

import { Fault } from "../errors.ts"
import { COMMANDS, type ChatClient } from "./api.ts"
import { changeCommands, openMessageChanger } from "./commands/changes.ts"
import { contactCommands } from "./commands/contacts.ts"
import { conversationCommands } from "./commands/conversations.ts"
import type { Handlers } from "./commands/handlers.ts"
import { deleteCommands } from "./commands/delete.ts"
import { eventCommands } from "./commands/events.ts"
import { introductionCommands } from "./commands/introductions.ts"
import { messageCommands } from "./commands/messages.ts"
import { outboxCommands } from "./commands/outbox.ts"
import { PairingCommands } from "./commands/pairing.ts"
import { profileCommands } from "./commands/profile.ts"
import type { Command } from "./state/commands.ts"
import type { OutsidePorts } from "./state/ports.ts"
import { openParts } from "./wiring.ts"

/** What these write goes out at once where the broker can be reached. `status` and `catch-up` wait for the outcome. */
const NEEDS_BROKER: ReadonlySet<Command> = new Set([
  "send",
  "edit",
  "react",
  "delete",
  "delete-all",
  "introduce",
  "introduction-answer",
  "reset",
  "pair-offer",
  "device-offer",
  "pair-answer",
])

/**
 * The engine of one profile, in this process. It connects at once; commands also work offline. The
 * caller closes the store, after `close`. Faults of `Store`.
 */
export async function openEngine(ports: OutsidePorts): Promise<ChatClient> {
  const parts = await openParts(ports)
  const pairing = new PairingCommands(parts.pairing)
  const change = openMessageChanger(parts)
  const handlers: Handlers = {
    ...profileCommands(parts),
    ...messageCommands(parts),
    ...deleteCommands(parts, change),
    ...changeCommands(parts, change),
    ...eventCommands(parts),
    ...contactCommands(parts),
    ...conversationCommands(parts),
    ...outboxCommands(parts),
    ...introductionCommands(parts),
    ...pairing.handlers,
  }
  return {
    call: async (command, params) => {
      if (!v.is(COMMANDS[command].params, params)) {
        throw new Fault("usage", `the parameters of ${command} are invalid`)
      }
      if (NEEDS_BROKER.has(command)) void parts.broker.tryNow()
      return handlers[command](params)
    },
    listen: parts.events.listen,
    close: async () => {
      await pairing.close()
      await parts.close()
    },
  }
}
