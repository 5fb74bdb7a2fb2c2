import type { Fault } from "../../errors.ts"
import type { ConnectionState, ConnectTarget, Trust } from "../../transport/transport.ts"
import type { Address } from "../../wire/address.ts"
import { NO_EVENTS, openInboxConnection, type InboxConnection } from "../connection/inbox-connection.ts"
import type { ClosableConnection, Ports } from "../state/ports.ts"

type GuestTarget = Pick<ConnectTarget, "address" | "trust">

/** A guest's connection, online. Rejects with the fault of the first try. */
export async function dialGuest(ports: Ports, broker: GuestTarget): Promise<ClosableConnection> {
  const { connection, state } = await tryAsGuest(ports, broker)
  if (state.kind === "online") return connection
  await connection.close()
  throw state.why
}

/**
 * Why the pin is not proved at this address, or undefined if it is: TLS has ended well there. A broker may refuse
 * guests after that.
 */
export async function whyUnproven(
  ports: Ports,
  at: Address,
  trust: Extract<Trust, { kind: "pin" }>,
): Promise<Fault | undefined> {
  const { connection, state } = await tryAsGuest(ports, { address: at, trust })
  const isProven = connection.serverPins().length > 0
  await connection.close()
  return state.kind === "online" || isProven ? undefined : state.why
}

type Tried = { readonly connection: InboxConnection; readonly state: ConnectionState }

function tryAsGuest(ports: Ports, broker: GuestTarget): Promise<Tried> {
  const target: ConnectTarget = { ...broker, credential: { kind: "guest" } }
  return new Promise((resolve) => {
    const connection = openInboxConnection(ports.connect, target, {
      ...NO_EVENTS,
      onState: (state) => resolve({ connection, state }),
    })
  })
}
