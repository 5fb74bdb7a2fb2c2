import { join } from "node:path"
import { type Broker } from "../../src/broker/broker.ts"
import { pinOf } from "../../src/broker/certificates.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { boxKeyPair } from "../../src/crypto/nacl.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { openRegistrar, type Registrar, type RegistrarSetup } from "../../src/registrar/registrar.ts"
import type { Applicant } from "../../src/transport/enroll.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { Credential, LinkTarget } from "../../src/transport/transport.ts"
import { newWorld, portOf, type World } from "../broker/world.ts"
import { dial, type Wire } from "../transport/post.ts"

export type Town = {
  readonly world: World
  readonly broker: Broker
  readonly registrar: Registrar
  readonly target: (credential?: Credential) => LinkTarget
  readonly dial: (credential?: Credential) => Wire
  readonly reopen: (change?: Partial<RegistrarSetup>) => Promise<Registrar>
  readonly admitted: { readonly deviceName: string; readonly operator: boolean }[]
  readonly ledgerPath: string
  readonly setClock: (now: number) => void
  readonly end: () => Promise<void>
}

const GUEST: Credential = { kind: "guest" }

/** A real broker with its registrar. */
export async function newTown(change: Partial<RegistrarSetup> = {}): Promise<Town> {
  const world = await newWorld()
  const broker = await world.start()
  const address = { host: "127.0.0.1", port: portOf(broker) }
  const pin = pinOf(world.authority.caCertificate)
  const wires: Wire[] = []
  const admitted: Town["admitted"] = []
  let clock: number | undefined
  const setup: RegistrarSetup = {
    connect: connectMqtt,
    address,
    pin,
    keys: world.authority,
    boxSecret: boxKeyPair(systemRandom).secretKey,
    ledgerPath: join(world.folder, "ledger"),
    membersMayInvite: true,
    onState: () => undefined,
    onAdmitted: (device) => admitted.push(device),
    random: systemRandom,
    now: () => clock ?? Date.now(),
    ...change,
  }
  let registrar = await openRegistrar(setup)
  const target = (credential = GUEST): LinkTarget => ({
    address,
    trust: { kind: "pin", pin },
    credential,
    mqttVersion: 4,
  })
  return {
    world,
    broker,
    get registrar() {
      return registrar
    },
    target,
    dial: (credential) => {
      const wire = dial(target(credential))
      wires.push(wire)
      return wire
    },
    reopen: async (again = {}) => {
      await registrar.close()
      registrar = await openRegistrar({ ...setup, ...again })
      return registrar
    },
    admitted,
    ledgerPath: setup.ledgerPath,
    setClock: (now) => (clock = now),
    end: async () => {
      await Promise.all(wires.map((wire) => wire.close()))
      await registrar.close()
      await world.end()
    },
  }
}

export function newApplicant(): Applicant {
  return {
    identity: createIdentity(systemRandom),
    random: systemRandom,
    after: (ms, run) => {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
  }
}
