import { toHex } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { EngineParts } from "./commands/engine-parts.ts"
import { describeMessage } from "./contacts/describe.ts"
import type { Effect } from "./state/decision.ts"

export type EffectParts = Pick<EngineParts, "ports" | "queue" | "events" | "pairing" | "expiry">

/** Carries out what the steps of one commit cause, in order; resolves when all listeners have had their events. */
export async function runEffects(parts: EffectParts, effects: readonly Effect[]): Promise<void> {
  if (effects.some(startsTimers)) parts.expiry.rearm()
  for (const effect of effects) await runOrReport(parts, effect)
}

/** The time of our own texts begins when they have arrived. */
function startsTimers({ kind }: Effect): boolean {
  return kind === "receipt" || kind === "read"
}

/** One message that cannot be read must not silence those after it. */
async function runOrReport(parts: EffectParts, effect: Effect): Promise<void> {
  try {
    await run(parts, effect)
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    parts.events.emit({ event: "notice", contact: null, text: fault.message })
  }
}

async function run(parts: EffectParts, effect: Effect): Promise<void> {
  const { ports, queue, events, pairing } = parts
  switch (effect.kind) {
    case "message": {
      const record = await ports.store.findMessage(effect.contact, effect.mid)
      const message = record && describeMessage(queue.state(), record)
      if (message !== undefined) events.emit({ event: "message", message })
      return
    }
    case "receipt": {
      const contact = queue.state().contacts.get(effect.contact)?.name
      if (contact === undefined) return
      events.emit({ event: "receipt", contact, id: toHex(effect.mid), state: effect.state })
      return
    }
    case "read": {
      const contact = queue.state().contacts.get(effect.contact)?.name
      const record = await ports.store.findMessage(effect.contact, effect.mid8)
      if (contact === undefined || record?.mine !== true) return
      events.emit({ event: "receipt", contact, id: toHex(record.mid), state: "read" })
      return
    }
    case "welcomed": {
      const contact = queue.state().contacts.get(effect.contact)
      if (contact !== undefined) pairing.onWelcomed(contact, effect.renamedFrom)
      return
    }
    case "dropped":
      events.countDropped()
      return
    case "event":
      events.emit(effect.event)
      return
  }
}
