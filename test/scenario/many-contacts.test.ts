import { expect, it } from "vitest"
import { systemRandom } from "../../src/crypto/random.ts"
import { openKeyFile } from "../../src/keystore/keyfile.ts"
import { openStore } from "../../src/store/store.ts"
import { contact } from "../store/store-fixture.ts"
import { pairedUsers, type User, ScenarioFixture } from "./scenario-fixture.ts"

/** Ten thousand in `npm run test:soak`; here somewhat more than one broker used to allow. */
const CONTACTS = process.env["MQTTCHAT_SOAK"] === "yes" ? 10_000 : 2_100

/** As if the user had paired with as many people. */
async function addContacts(user: User, count: number): Promise<void> {
  const { ring } = await openKeyFile(user.file("identity.key"), "", systemRandom)
  const store = await openStore(user.file("messages.db"), ring.databaseKey)
  const { nextContact } = await store.load()
  const ids = Array.from({ length: count }, (_, n) => nextContact + n)
  await store.commit(ids.map((id) => ({ kind: "contact", contact: contact(id, `person ${String(id)}`) })))
  await store.close()
}

it("a user with thousands of contacts is online, sends and receives", async ({ onTestFinished }) => {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  const { alice, bob } = await pairedUsers(fixture)
  await addContacts(alice, CONTACTS)
  await bob.runJson("send", "alice", "are you there?")
  expect(await alice.receiveTexts("are you there?")).toEqual(["are you there?"])
  await alice.runJson("send", "bob", "yes")
  expect(await bob.receiveTexts("yes")).toEqual(["yes"])
  expect(await alice.runJson("status")).toMatchObject([
    { connection: { kind: "online" }, refusedMailboxes: 0 },
  ])
})
