import type { BrokerControl } from "../../../registrar/enforcement.ts"
import type { Ledger } from "../../../registrar/ledger.ts"
import { connectMqtt } from "../../../transport/mqtt.ts"
import type { Connect } from "../../../transport/transport.ts"
import type { Context } from "../../terminal/context.ts"
import { mayConnect } from "../../broker/registrar.ts"

/** What it takes to disconnect a revoked device from a broker that asks us about every login. */
export type RabbitmqAuth = {
  /** A connection under a device's name. Once it is up, no other client can connect under that name. */
  readonly connect: Connect
  readonly withAuthBackend: (brokerControl: BrokerControl) => BrokerControl
}

/** Answers RabbitMQ's access checks at this port of loopback until the command ends. */
export async function serveRabbitmqAuth(
  context: Context,
  ledger: Ledger,
  port: number,
): Promise<RabbitmqAuth> {
  const { startRabbitAuthServer } = await import("../../../registrar/rabbitmq-auth-http.ts")
  const isAdmitted = mayConnect(ledger)
  /** Revoked devices under whose names the registrar is connecting right now. */
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
