import type { Bouncer } from "../../registrar/enforcement.ts"
import type { Ledger } from "../../registrar/ledger.ts"
import { connectMqtt } from "../../transport/mqtt.ts"
import type { Connect } from "../../transport/transport.ts"
import type { Context } from "../context.ts"
import { mayEnter } from "./registrar.ts"

/** What expelling takes where every login is ours to allow. */
export type RabbitHelp = {
  /** A link under a device's name; as soon as it is up, nobody else comes in under it. */
  readonly connect: Connect
  readonly escort: (bouncer: Bouncer) => Bouncer
}

/** Answers RabbitMQ's questions at this port of loopback until the command ends. */
export async function answerRabbit(context: Context, ledger: Ledger, port: number): Promise<RabbitHelp> {
  const { openRabbitDoor } = await import("../../registrar/rabbit-door.ts")
  const isAdmitted = mayEnter(ledger)
  /** Revoked devices in whose place the registrar is just connecting. */
  const passes = new Set<string>()
  const door = await openRabbitDoor(port, {
    isDevice: (id) => ledger.roll.devices.has(id),
    mayEnter: (id) => passes.has(id) || isAdmitted(id),
  })
  context.lifetime.defer(door.close)
  return {
    connect: (target, events) =>
      connectMqtt(target, {
        ...events,
        onState: (state) => {
          if (state.kind === "online" && target.credential.kind === "device") {
            passes.delete(target.credential.deviceId)
          }
          events.onState(state)
        },
      }),
    escort: ({ takeUp, expel }) => ({
      takeUp,
      expel: async (device) => {
        passes.add(device)
        try {
          await expel(device)
        } finally {
          passes.delete(device)
        }
      },
    }),
  }
}
