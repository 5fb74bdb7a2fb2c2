import { ChatView } from "../../src/cli/messages/chat.ts"
import { couple, type TestProfile } from "../engine/engine-fixture.ts"
import { until } from "../until.ts"

type Couple = Awaited<ReturnType<typeof couple>>
const TIME = /(?:\d{4}-\d\d-\d\d )?\d\d:\d\d /g

/** A chat of one side, with what stands on its screen without the times. */
async function chatOf({ fixture }: Couple, profile: TestProfile, contact: string) {
  const rows: string[] = []
  const print = (row: string): void => void rows.push(row.replaceAll(TIME, ""))
  const view = new ChatView({ client: profile.client, contact, print, advised: (row) => row })
  await view.open()
  return {
    rows,
    type: async (line: string): Promise<void> => {
      await view.submit(line, "queued")
      await fixture.clock.pass(200)
    },
    shows: (row: string) => until(() => rows.includes(row)),
  }
}

/** Alice and Bob, each in a chat with the other. */
export async function chats() {
  const pair = await couple()
  const [alice, bob] = [await chatOf(pair, pair.alice, "bob"), await chatOf(pair, pair.bob, "alice")]
  return { pair, alice, bob }
}

/** As people type it: its beginning. */
export async function lastId({ client }: TestProfile, contact: string): Promise<string> {
  const [last] = await client.call("history", { contact, limit: 1 })
  return last?.id.slice(0, 8) ?? ""
}
