import { join } from "node:path"

import type { ChatClient } from "../../src/engine/api.ts"
import { openEngine } from "../../src/engine/engine.ts"
import type { FaultPoint } from "../../src/engine/state/fault-points.ts"
import type { BrokerConfig } from "../../src/engine/state/ports.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { NO_DEBUG } from "../../src/debug/debug.ts"
import { Fault } from "../../src/errors.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { openStore } from "../../src/store/store.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import { seededRandom } from "../session/session-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"
import "../fastest-backend.ts"

/** What a process needs to be the same user again. */
export type Credentials = {
  readonly name: string
  readonly port: number
  /** Hex of the pin of the broker's authority. */
  readonly pin: string
  readonly device: { readonly id: string; readonly certificate: string; readonly key: string }
}

/** A real engine, store, clock and connection; secrets are derived from the name. Time passes `pace` times as fast. */
export async function openRealEngine(
  { name, port, pin, device }: Credentials,
  folder: string,
  reach: (point: FaultPoint) => void,
  pace = 1,
): Promise<{ client: ChatClient; store: Store }> {
  const random = seededRandom(`papers of ${name}`)
  const identity = createIdentity(random)
  const store = await openStore(join(folder, "messages.db"), random(32))
  const broker: BrokerConfig = {
    address: { host: "127.0.0.1", port },
    trust: { kind: "pin", pin: new Uint8Array(Buffer.from(pin, "hex")) },
  }
  const begun = Date.now()
  const { id: deviceId, certificate, key } = device
  const client = await openEngine({
    store,
    identity,
    name: () => name,
    connect: connectMqtt,
    enroll: () => Promise.reject(new Fault("refused", "there is no registrar here")),
    restore: () => Promise.reject(new Fault("refused", "there is no registrar here")),
    renew: () => Promise.reject(new Fault("refused", "there is no registrar here")),
    invite: () => Promise.reject(new Fault("refused", "there is no registrar here")),
    requestHead: () => Promise.reject(new Fault("refused", "there is no registrar here")),
    config: {
      broker: () => broker,
      credential: () => ({ kind: "device", deviceId, certificate, key }),
      saveBroker: () => Promise.resolve(),
      saveCredential: () => Promise.resolve(),
      saveHints: () => Promise.resolve(),
      reload: () => undefined,
    },
    wallClock: () => begun + (Date.now() - begun) * pace,
    uptime: () => Date.now() * pace,
    boot: "one boot",
    random: systemRandom,
    after: (ms, run) => {
      const timer = setTimeout(run, ms / pace)
      return () => clearTimeout(timer)
    },
    reach,
    debug: NO_DEBUG,
  })
  return { client, store }
}
