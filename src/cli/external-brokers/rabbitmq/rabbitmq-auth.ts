import type { BrokerControl } from "../../../registrar/enforcement.ts"
import type { Ledger } from "../../../registrar/ledger.ts"
import { connectMqtt } from "../../../transport/mqtt.ts"
import type { Connect } from "../../../transport/transport.ts"
import type { Context } from "../../terminal/context.ts"
import { mayConnect } from "../../broker/registrar.ts"

/** What expelling takes where every login is ours to allow. */
export type RabbitmqAuth = {
  /** A link under a device's name; as soon as it is up, nobody else comes in under it. */
  readonly connect: Connect
  readonly withAuthBackend: (brokerControl: BrokerControl) => BrokerControl
}

/** Answers RabbitMQ's questions at this port of loopback until the command ends. */
export async function serveRabbitmqAuth(
  context: Context,
  ledger: Ledger,
  port: number,
): Promise<RabbitmqAuth> {
  const { startRabbitAuthServer } = await import("../../../registrar/rabbitmq-auth-http.ts")
  const isAdmitted = mayConnect(ledger)
  /** Revoked devices in whose place the registrar is just connecting. */
  const exemptions = new Set<string>()
  const server = await startRabbitAuthServer(port, {
    isDevice: (id) => ledger.state.devices.has(id),
    mayConnect: (id) => exemptions.has(id) || isAdmitted(id),
  })
  context.lifetime.defer(server.close)
  return {
    connect: (target, events) =>
      connectMqtt(target, {
        ...events,
        onState: (state) => {
          if (state.kind === "online" && target.credential.kind === "device") {
            exemptions.delete(target.credential.deviceId)
          }
          events.onState(state)
        },
      }),
    withAuthBackend: ({ publishCrl, disconnect: disconnectDevice }) => ({
      publishCrl,
      disconnect: async (device) => {
        exemptions.add(device)
        try {
          await disconnectDevice(device)
        } finally {
          exemptions.delete(device)
        }
      },
    }),
  }
}
