import { expect, it, test } from "vitest"
import { ChatView } from "../../src/cli/messages/chat.ts"
import { DraftKeeper, lineOf } from "../../src/cli/messages/draft-keeper.ts"
import { Fault } from "../../src/errors.ts"
import { couple } from "../engine/engine-fixture.ts"
import { until } from "../until.ts"
import { CliFixture, paired } from "./cli-fixture.ts"
import { CTRL_D, ENTER, Terminal } from "./terminal.ts"

const alice = ["--profile", "alice"]
const bob = ["--profile", "bob"]

async function contactRowOf(cli: CliFixture): Promise<string> {
  return (await cli.run([...alice, "contacts"])).stdout
}

async function draftOf(cli: CliFixture): Promise<unknown> {
  const { stdout } = await cli.run([...alice, "--json", "contacts"])
  return (JSON.parse(stdout) as { draft: unknown }).draft
}

it("what Alice typed in a chat is offered again after her terminal was closed, and is gone once it is sent", async () => {
  const cli = new CliFixture()
  await paired(cli)
  const first = new Terminal(cli, [...alice, "chat", "bob"])
  await first.shows(/\/help/)
  first.type("are you com")
  await first.shows(/> are you com/)
  first.hangUp()
  await first.ended()
  expect(await contactRowOf(cli)).toMatch(/ bob {2}\(draft\)\n$/)

  const second = new Terminal(cli, [...alice, "chat", "bob"])
  await second.shows(/> are you com/)
  second.type(`ing?${ENTER}`)
  await second.shows(/coming\?\n/)
  second.type(CTRL_D)
  await second.ended()
  expect(await draftOf(cli)).toBe("")
  await cli.run([...alice, "inbox"])
  await cli.run([...bob, "inbox"])
  expect((await cli.run([...bob, "history", "alice"])).stdout).toContain("alice: are you coming?")
  const third = new Terminal(cli, [...alice, "chat", "bob"])
  await third.shows(/\/help/)
  third.type(`nothing was typed${ENTER}`)
  await third.shows(/> nothing was typed/)
})

it("a draft outlives a chat that is killed, with all its rows, and what begins with a slash is not run", async () => {
  const cli = new CliFixture()
  await paired(cli)
  const first = new Terminal(cli, [...alice, "chat", "bob"])
  await first.shows(/\/help/)
  first.type("\u001b[200~//etc/hosts has\rtwo rows\u001b[201~")
  await first.shows(/│ two rows/)
  first.type("!")
  const text = "/etc/hosts has\ntwo rows!"
  // The chat serves the profile, so others see the draft while it is typed.
  await until(async () => (await draftOf(cli)) === text)
  first.kill("SIGKILL")
  await first.ended()
  const second = new Terminal(cli, [...alice, "chat", "bob"])
  await second.shows(/> \/\/etc\/hosts has\n│ two rows!/)
  second.type(ENTER)
  second.type(CTRL_D)
  await second.ended()
  const { stdout } = await cli.run([...alice, "--json", "history", "bob"])
  expect(stdout).toContain(JSON.stringify(text))
})

test("a draft is written once for each pause, and not at all if nothing changed", async () => {
  const { alice: profile } = await couple()
  const written: string[] = []
  const client: typeof profile.client = {
    ...profile.client,
    call: (command, params) => {
      if (command === "set-draft" && "text" in params) written.push(params.text)
      return profile.client.call(command, params)
    },
  }
  const drafts = new DraftKeeper(client, "bob")
  drafts.offered("hi")
  drafts.edited("hi")
  await drafts.save()
  expect(written).toEqual([])
  for (const line of ["h", "", "/reply", "//x", "/quit", "/unknown", "  "]) {
    drafts.edited(line)
    await drafts.save()
    await drafts.save()
  }
  expect(written).toEqual(["h", "", "/x", ""])
  expect(["/x", "x"].map(lineOf)).toEqual(["//x", "x"])
})

test("what was sent is no draft, even if nothing else is kept any more; what is typed meanwhile is one", async () => {
  const { alice, fixture } = await couple()
  let isLocked = false
  const client: typeof alice.client = {
    ...alice.client,
    call: (command, params) => {
      const isRefused = isLocked && command === "set-draft"
      return isRefused
        ? Promise.reject(new Fault("locked", "it is locked"))
        : alice.client.call(command, params)
    },
  }
  const draftNow = async () => (await alice.client.call("conversations", {}))[0]?.draft
  const view = new ChatView({ client, contact: "bob", print: () => undefined, advised: (row) => row })
  await view.open()
  const drafts = new DraftKeeper(client, "bob")
  const type = async (line: string): Promise<void> => {
    drafts.edited(line)
    await drafts.save()
    expect(await draftNow()).toBe("hello")
    isLocked = true
    await drafts.sending(
      () => view.submit(line, "queued"),
      () => "",
    )
    await expect(drafts.save()).rejects.toMatchObject({ code: "locked" })
    expect(await draftNow()).toBe("")
    isLocked = false
  }
  await type("hello")
  await fixture.clock.pass(100)
  await type("/edit hello")
  drafts.edited("hello")
  await drafts.save()
  const sending = drafts.sending(
    () => view.submit("hello", "queued"),
    () => "next",
  )
  await Promise.all([sending, drafts.save()])
  expect(await draftNow()).toBe("next")
  drafts.edited("")
  await drafts.save()
  expect(await draftNow()).toBe("")
  await view.close()
})
