import type { BrokerAddress, Connect, Trust } from "../transport/transport.ts"
import { type Authority, newCredential } from "./authority.ts"
import type { BrokerControl } from "./enforcement.ts"
import { deferred } from "../async/deferred.ts"

/** Long enough for one connection over a slow line, with clocks that differ. */
const CREDENTIAL_LIFE_MS = 10 * 60 * 1000

/**
 * Ends a device's connection at a broker that only knows MQTT, where a new revocation list leaves connections up: a
 * second connection of the same name takes the place of the first, and a clean session drops the queue. The
 * certificate for it is made here, is used once and runs out at once.
 */
export function disconnectByTakeover(
  broker: {
    readonly connect: Connect
    readonly address: BrokerAddress
    readonly trust: Exclude<Trust, { kind: "unproven" }>
    readonly now: () => number
  },
  authority: Authority,
): BrokerControl["disconnect"] {
  const { connect, address, trust, now } = broker
  return async (device) => {
    const credential = await newCredential(authority, device, { now: now(), lifeMs: CREDENTIAL_LIFE_MS })
    const takenOver = deferred()
    const transport = connect(
      { address, trust, credential, clean: true },
      {
        // messages that wait for the device are not read: they are not acknowledged and go with the session
        onFrame: () => new Promise<void>(() => undefined),
        onState: (state) => {
          if (state.kind === "online") takenOver.resolve()
          else takenOver.reject(state.why)
        },
      },
    )
    try {
      await takenOver.promise
    } finally {
      await transport.close()
    }
  }
}
