import { join } from "node:path"
import { type Broker } from "../../src/broker/broker.ts"
import { pinOf } from "../../src/broker/certificates.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { boxKeyPair } from "../../src/crypto/nacl.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { openLedger } from "../../src/registrar/ledger.ts"
import { inviteOperator, invitePerson, setInviters } from "../../src/registrar/members.ts"
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
  readonly reopen: (change?: Partial<Change>) => Promise<Registrar>
  /** By the operator's command. */
  readonly invite: (name: string) => Promise<Uint8Array>
  readonly inviteOperator: () => Promise<Uint8Array | undefined>
  readonly admitted: { readonly deviceName: string; readonly operator: boolean }[]
  readonly ledgerPath: string
  /** What the registrar had its broker do about who was revoked. */
  readonly orders: { readonly lists: string[]; readonly expelled: string[] }
  readonly setClock: (now: number) => void
  readonly end: () => Promise<void>
}

const GUEST: Credential = { kind: "guest" }

/** How a registrar of a test differs from an ordinary one. */
export type Change = RegistrarSetup & { readonly membersMayInvite: boolean }

/** A real broker with its registrar. */
export async function newTown({ membersMayInvite, ...change }: Partial<Change> = {}): Promise<Town> {
  const world = await newWorld()
  const broker = await world.start()
  const address = { host: "127.0.0.1", port: portOf(broker) }
  const pin = pinOf(world.authority.caCertificate)
  const wires: Wire[] = []
  const admitted: Town["admitted"] = []
  const orders: Town["orders"] = { lists: [], expelled: [] }
  const ledgerPath = join(world.folder, "ledger")
  let clock: number | undefined
  const setup: Omit<RegistrarSetup, "ledger"> = {
    connect: connectMqtt,
    address,
    trust: { kind: "pin", pin },
    pin,
    keys: world.authority,
    boxSecret: boxKeyPair(systemRandom).secretKey,
    bouncer: () => ({
      publishCrl: (list) => Promise.resolve(void orders.lists.push(list)),
      expel: (device) => Promise.resolve(void orders.expelled.push(device)),
    }),
    onState: () => undefined,
    onAdmitted: (device) => admitted.push(device),
    onTrouble: () => undefined,
    random: systemRandom,
    now: () => clock ?? Date.now(),
    reach: () => undefined,
  }
  let ledger = await openLedger(ledgerPath)
  let registrar = await openRegistrar({ ...setup, ledger, ...change })
  if (membersMayInvite !== undefined) await setInviters(registrar, membersMayInvite)
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
      await ledger.close()
      ledger = await openLedger(ledgerPath)
      registrar = await openRegistrar({ ...setup, ledger, ...change, ...again })
      return registrar
    },
    invite: async (name) => (await invitePerson(registrar, { name, again: false })).invitation,
    inviteOperator: () => inviteOperator(registrar),
    admitted,
    ledgerPath,
    orders,
    setClock: (now) => (clock = now),
    end: async () => {
      await Promise.all(wires.map((wire) => wire.close()))
      await registrar.close()
      await ledger.close()
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
