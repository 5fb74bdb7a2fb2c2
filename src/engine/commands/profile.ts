import { formatAddresses } from "../../wire/address.ts"
import { addressesOf } from "../connection/broker-addresses.ts"
import { catchUp } from "../connection/catch-up.ts"
import { allUnsentTexts } from "../messages/reencrypt.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Handlers } from "./handlers.ts"

/** The profile itself: its status, its broker and its backup. Code that few commands need is loaded on demand. */
export function profileCommands(
  parts: EngineParts,
): Handlers<"status" | "catch-up" | "reload-settings" | "register" | "export"> {
  const { ports, broker, events } = parts
  return {
    status: async () => {
      const known = ports.config.broker()
      return {
        name: ports.name,
        broker: known === undefined ? null : formatAddresses(addressesOf(known)),
        connection: broker.status(),
        ...(await countWaiting(parts)),
        dropped: events.dropped(),
        locked: false,
      }
    },
    "catch-up": async () => {
      if (await catchUp(parts)) await parts.gapRequests.closeOld()
      return null
    },
    "reload-settings": () => {
      ports.config.reload()
      return Promise.resolve(null)
    },
    register: async (params) => (await import("../pairing/register.ts")).register(parts.pairing, params),
    export: async (params) => (await import("../backup/export.ts")).exportBackup(parts, params),
  }
}

async function countWaiting({ ports, queue }: EngineParts): Promise<{ queued: number; undelivered: number }> {
  const unsent = await allUnsentTexts(ports, queue)
  const entries = [...queue.state().outgoing.values()].filter(({ carries }) => carries !== undefined)
  const queued = entries.filter(({ published }) => !published).length + unsent.length
  return { queued, undelivered: entries.length + unsent.length }
}
