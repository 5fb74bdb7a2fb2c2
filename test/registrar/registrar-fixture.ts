import { join } from "node:path"
import { NO_DEBUG } from "../../src/debug/debug.ts"
import { type Broker } from "../../src/broker/broker.ts"
import { pinOf } from "../../src/broker/certificates.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { boxKeyPair } from "../../src/crypto/nacl.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { openLedger } from "../../src/registrar/ledger.ts"
import { inviteOperator, inviteUser, setInviters } from "../../src/registrar/members.ts"
import { openRegistrar, type Registrar, type RegistrarSetup } from "../../src/registrar/registrar.ts"
import { type Applicant, enroll, type Enrolled } from "../../src/transport/enroll.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { Credential, ConnectTarget } from "../../src/transport/transport.ts"
import { newBrokerFixture, portOf, type BrokerFixture } from "../broker/broker-fixture.ts"
import { openTransport, type TransportFixture } from "../transport/transport-fixture.ts"
import "../fastest-backend.ts"

export type RegistrarFixture = {
  readonly brokerFixture: BrokerFixture
  readonly broker: Broker
  readonly registrar: Registrar
  readonly target: (credential?: Credential) => ConnectTarget
  readonly openTransport: (credential?: Credential) => TransportFixture
  readonly reopen: (change?: Partial<FixtureOptions>) => Promise<Registrar>
  /** Invites by the operator's command. */
  readonly invite: (name: string) => Promise<Uint8Array>
  readonly inviteOperator: () => Promise<Uint8Array | undefined>
  readonly admitted: { readonly deviceName: string; readonly operator: boolean }[]
  readonly ledgerPath: string
  /** The registrar's orders to its broker about revoked devices. */
  readonly brokerActions: { readonly crls: string[]; readonly disconnected: string[] }
  readonly setClock: (now: number) => void
  readonly end: () => Promise<void>
}

const GUEST: Credential = { kind: "guest" }

/** How a test's registrar differs from the default. */
export type FixtureOptions = RegistrarSetup & { readonly membersMayInvite: boolean }

/** A real broker with its registrar. */
export async function newRegistrarFixture({
  membersMayInvite,
  ...change
}: Partial<FixtureOptions> = {}): Promise<RegistrarFixture> {
  const brokerFixture = await newBrokerFixture()
  const broker = await brokerFixture.start()
  const address = { host: "127.0.0.1", port: portOf(broker) }
  const pin = pinOf(brokerFixture.authority.caCertificate)
  const clients: TransportFixture[] = []
  const admitted: RegistrarFixture["admitted"] = []
  const brokerActions: RegistrarFixture["brokerActions"] = { crls: [], disconnected: [] }
  const ledgerPath = join(brokerFixture.folder, "ledger")
  let clock: number | undefined
  const setup: Omit<RegistrarSetup, "ledger"> = {
    connect: connectMqtt,
    address,
    trust: { kind: "pin", pin },
    pin,
    keys: brokerFixture.authority,
    boxSecret: boxKeyPair(systemRandom).secretKey,
    brokerControl: () => ({
      publishCrl: (list) => Promise.resolve(void brokerActions.crls.push(list)),
      disconnect: (device) => Promise.resolve(void brokerActions.disconnected.push(device)),
    }),
    onState: () => undefined,
    onAdmitted: (device) => admitted.push(device),
    onTrouble: () => undefined,
    random: systemRandom,
    now: () => clock ?? Date.now(),
    reach: () => undefined,
    debug: NO_DEBUG,
  }
  let ledger = await openLedger(ledgerPath)
  let registrar = await openRegistrar({ ...setup, ledger, ...change })
  if (membersMayInvite !== undefined) await setInviters(registrar, membersMayInvite)
  const target = (credential = GUEST): ConnectTarget => ({
    address,
    trust: { kind: "pin", pin },
    credential,
    mqttVersion: 4,
  })
  return {
    brokerFixture,
    broker,
    get registrar() {
      return registrar
    },
    target,
    openTransport: (credential) => {
      const client = openTransport(target(credential))
      clients.push(client)
      return client
    },
    reopen: async (again = {}) => {
      await registrar.close()
      await ledger.close()
      ledger = await openLedger(ledgerPath)
      registrar = await openRegistrar({ ...setup, ledger, ...change, ...again })
      return registrar
    },
    invite: async (name) => (await inviteUser(registrar, { name, again: false })).invitation,
    inviteOperator: () => inviteOperator(registrar),
    admitted,
    ledgerPath,
    brokerActions,
    setClock: (now) => (clock = now),
    end: async () => {
      await Promise.all(clients.map((client) => client.close()))
      await registrar.close()
      await ledger.close()
      await brokerFixture.end()
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

/** Enrols a device of a user whose name no test asks for. */
export async function enrollMember(fixture: RegistrarFixture, applicant: Applicant): Promise<Enrolled> {
  const invitation = await fixture.invite(`member-${fixture.admitted.length + 1}`)
  return enroll(applicant, { publisher: fixture.openTransport(), invitation, deviceName: "laptop" })
}
