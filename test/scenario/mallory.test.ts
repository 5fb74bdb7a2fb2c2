import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Authority, pinOf } from "../../src/broker/certificates.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { dropsQueue, readsQueue, takesPlace } from "../../src/doctor/attack-place.ts"
import { answersForRegistrar, GREED, readsInbox, remembersRefused } from "../../src/doctor/attack-read.ts"
import { announcesEndlessPacket, sendsOversized } from "../../src/doctor/attack-size.ts"
import { leavesRetained, seesNames, seesStatistics, willsAnywhere } from "../../src/doctor/attack-traces.ts"
import { Dialler } from "../../src/doctor/line.ts"
import type { Actor, Attack, Outcome, Scene } from "../../src/doctor/scene.ts"
import { startPlain } from "../broker/plain.ts"
import { mint, newId, newWorld, portOf, type World } from "../broker/world.ts"
import { mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"

/** What the doctor asks on any broker. */
const CAREFUL: Readonly<Record<string, Attack>> = {
  "reads another's inbox by its topic": readsInbox(GREED.exact),
  "reads all inboxes of another": readsInbox(GREED.mailboxes),
  "reads everything below another's name": readsInbox(GREED.tree),
  "reads one mailbox of all devices": readsInbox(GREED.devices),
  "reads one mailbox of all branches": readsInbox(GREED.everywhere),
  "is handed later what was refused beside something granted": remembersRefused,
  "answers in the registrar's place": answersForRegistrar,
  "takes another's place": takesPlace,
  "reads what waits for another": readsQueue,
  "throws away what waits for another": dropsQueue,
  "sees in $SYS who is there": seesNames,
  "sees anything in $SYS": seesStatistics,
  "leaves a retained message in another's inbox": leavesRetained,
  "has a will published where publishing is refused": willsAnywhere,
  "sends far more than a message can be": sendsOversized,
  "announces 256 MB before CONNECT": announcesEndlessPacket,
}

/** Nobody else is on these brokers: here Mallory may ask for what is everybody's. */
const GREEDY: Readonly<Record<string, Attack>> = Object.fromEntries(
  ["#", "mc/#", "mc/1/i/#", "mc/1/i/+/+", "+/+/+/+/+", "mc/1/+/+/+"].map((filter) => [
    `reads ${filter}`,
    readsInbox(() => filter),
  ]),
)

/** aedes knows no shared subscriptions: these succeed on an open Mosquitto only. */
const SHARED: Readonly<Record<string, Attack>> = {
  "shares the subscription of another's topic": readsInbox(GREED["shared topic"]),
  "shares all inboxes of another": readsInbox(GREED["shared wildcard"]),
  "shares everything": readsInbox((stage) => `$share/${stage.id()}/#`),
}

const ALL: Readonly<Record<string, Attack>> = { ...CAREFUL, ...GREEDY, ...SHARED }

/** Alice and Mallory, each with a valid certificate of the same authority. */
async function sceneAt(port: number, authority: Authority): Promise<Scene> {
  const actor = async (): Promise<Actor> => {
    const { id, certificate, key } = await mint(authority, newId())
    const dialler = new Dialler({
      address: { host: "127.0.0.1", port },
      trust: { kind: "pin", pin: pinOf(authority.caCertificate) },
      credential: { kind: "device", deviceId: id, certificate, key },
    })
    return { id, dialler }
  }
  return { alice: await actor(), mallory: await actor(), random: systemRandom }
}

/** Every attack against one broker, each told to fail (or to succeed) on its own. */
function allAttacks(attacks: Readonly<Record<string, Attack>>, scene: () => Scene, wanted: Outcome): void {
  test.each(Object.entries(attacks))("%s", async (_name, attack) => {
    expect(await attack(scene())).toBe(wanted)
  })
}

describe("Mallory has a valid certificate of the same broker", () => {
  let world: World
  beforeAll(async () => (world = await newWorld()))
  afterAll(() => world.end())

  describe("and on aedes as it comes", () => {
    let scene: Scene
    beforeAll(async () => {
      const { port, close } = await startPlain(world.authority, {
        authorizePublish: (_client, _packet, done) => done(null),
        authorizeSubscribe: (_client, filter, done) => done(null, filter),
      })
      scene = await sceneAt(port, world.authority)
      return close
    })
    allAttacks({ ...CAREFUL, ...GREEDY }, () => scene, "succeeds")
  })

  test("and on aedes with our rules in its hooks, a refused subscription is remembered", async () => {
    const { port, close } = await startPlain(world.authority)
    expect(await remembersRefused(await sceneAt(port, world.authority))).toBe("succeeds")
    await close()
  })

  describe("but on our broker in vain", () => {
    let scene: Scene
    beforeAll(async () => (scene = await sceneAt(portOf(await world.start()), world.authority)))
    allAttacks(ALL, () => scene, "fails")
  })
})

describe.skipIf(mosquittoIsMissing())("Mallory is a member of a Mosquitto", () => {
  describe("that is open", () => {
    let scene: Scene
    beforeAll(async () => {
      const { port, authority, close } = await startMosquitto("open")
      scene = await sceneAt(port, authority)
      return close
    })
    allAttacks(SHARED, () => scene, "succeeds")
  })

  describe("with the files that we ship, and tries in vain", () => {
    let scene: Scene
    beforeAll(async () => {
      const { port, authority, close } = await startMosquitto("shipped")
      scene = await sceneAt(port, authority)
      return close
    })
    allAttacks(ALL, () => scene, "fails")
  })
})
