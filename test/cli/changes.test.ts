import { describe, expect, it } from "vitest"
import { until } from "../until.ts"
import { CliFixture, paired } from "./cli-fixture.ts"

const alice = ["--profile", "alice"]
const bob = ["--profile", "bob"]

async function history(cli: CliFixture, ...args: readonly string[]): Promise<string> {
  return (await cli.run([...args])).stdout
}

/** Lets both be online until Alice's history fits. */
async function aliceSees(cli: CliFixture, wanted: RegExp, ...args: readonly string[]): Promise<void> {
  await until(async () => {
    for (const who of [bob, alice]) await cli.run([...who, "inbox"])
    return wanted.test(await history(cli, ...alice, "history", "bob", ...args))
  })
}

async function bobSends(cli: CliFixture, text: string): Promise<string> {
  const { stdout } = await cli.run([...bob, "--json", "send", "alice", text])
  return (JSON.parse(stdout) as { id: string }).id
}

describe("what Bob does with a message", () => {
  it("reaches Alice: a new text, a reaction, and that it is deleted", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const id = await bobSends(cli, "at noon")
    await aliceSees(cli, /bob: at noon\n$/)

    expect(await cli.run([...bob, "send", "--edit", id.slice(0, 8), "at one"])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "✓ edited; alice gets the new text\n",
    })
    await aliceSees(cli, /^\d\d:\d\d bob \(edited\): at one\n$/)
    expect(await history(cli, ...alice, "history", "bob", "--edits")).toMatch(/ {6}< \d\d:\d\d at noon\n$/)
    expect(await history(cli, ...bob, "history", "alice")).toMatch(/me \(\w+, edited\): at one\n$/)
    expect((await cli.run([...alice, "search", "one"])).stdout).toContain("at one")

    expect(await cli.run([...alice, "react", id, "👍"])).toMatchObject({
      code: 0,
      stderr: "✓ 👍 goes to bob\n",
    })
    expect(await history(cli, ...alice, "history", "bob")).toMatch(/at one\n {6}\+ 👍 me\n$/)
    await until(async () => {
      for (const who of [alice, bob]) await cli.run([...who, "inbox"])
      return (await history(cli, ...bob, "history", "alice")).endsWith("\n      + 👍 alice\n")
    })
    expect(await cli.run([...alice, "react", id, "--remove"])).toMatchObject({
      code: 0,
      stderr: "✓ reaction taken away; bob is told\n",
    })
    expect(await history(cli, ...alice, "history", "bob")).toMatch(/at one\n$/)

    expect(await cli.run([...bob, "delete", id, "--for-all"])).toMatchObject({
      code: 0,
      stderr: "✓ deleted here; alice is asked to delete it, too\n",
    })
    await aliceSees(cli, /^\d\d:\d\d -- bob deleted a message --\n$/, "--edits")
    expect(await history(cli, ...bob, "history", "alice")).toMatch(/-- you deleted a message --\n$/)
    expect(await cli.run([...alice, "search", "one"])).toMatchObject({ code: 66 })
  })

  it("is refused with what helps when it cannot be done", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const id = await bobSends(cli, "hello")
    await aliceSees(cli, /bob: hello\n$/)
    const refused = async (
      args: readonly string[],
      code: number,
      why: string,
      hint: string,
    ): Promise<void> => {
      const { code: exit, stderr } = await cli.run(args)
      expect({ exit, stderr }).toEqual({ exit: code, stderr: `mqttchat: ${why}\n  → ${hint}\n` })
    }
    const a = "mqttchat --profile alice"
    const b = "mqttchat --profile bob"
    await refused(
      [...alice, "send", "--edit", id, "mine now"],
      77,
      "bob wrote it: only they can edit it",
      `${a} send bob --reply ${id} TEXT`,
    )
    await refused(
      [...alice, "delete", "--for-all", id],
      77,
      "bob wrote it: only they can delete it for both",
      `${a} delete ${id}`,
    )
    const other = id.startsWith("0") ? "1" : "0"
    await refused(
      [...alice, "react", other.repeat(16), "👍"],
      66,
      `no message has an id that begins with ${other.repeat(16)}`,
      `${a} history NAME --ids`,
    )
    await refused([...alice, "react", id, "ok"], 65, "ok is not one emoji", `${a} react ${id} 👍`)
    await refused([...alice, "react", id, "👍👍"], 65, "👍👍 is not one emoji", `${a} react ${id} 👍`)
    await refused(
      [...bob, "send", "--edit", id, "alice"],
      64,
      "alice is the contact's name: give the name and the new text",
      `${b} send alice --edit ${id} TEXT`,
    )
    await refused(
      [...bob, "send", "alice", "--edit", "xyz", "text"],
      64,
      "an id is up to 16 digits from 0 to 9 and a to f",
      `${b} history --ids alice`,
    )
    await refused([...bob, "send", "--edit", id, " "], 65, "the message is empty", `${b} send NAME TEXT`)
    await cli.run([...bob, "delete", id, "--for-all"])
    await refused(
      [...bob, "send", "--edit", id, "too late"],
      77,
      "that message was deleted for both",
      `${b} delete ${id}`,
    )
  })

  it("waits in the outbox while the broker is down, and cannot be cancelled there", async () => {
    const cli = new CliFixture()
    const { broker } = await paired(cli)
    const id = await bobSends(cli, "at noon")
    await until(async () => {
      for (const who of [alice, bob]) await cli.run([...who, "inbox"])
      return (await cli.run([...bob, "outbox"])).stdout === ""
    })
    broker.kill("SIGTERM")
    await broker.finished()
    const edited = await cli.run([...bob, "send", "--edit", id, "at one"])
    expect(edited).toMatchObject({
      code: 75,
      stderr: expect.stringContaining("saved in the outbox") as string,
    })
    const waiting = await cli.run([...bob, "outbox"])
    expect(waiting.stdout).toMatch(
      /^[0-9a-f]{8} .* edit to alice: at one\n +the broker at \S+ is not running: /m,
    )
    const kept = await cli.run([...bob, "outbox", "--cancel", id])
    expect(kept.code).toBe(77)
    expect(kept.stderr).toContain("is a change, which cannot be cancelled")
  })

  it.each([
    [["send"], "missing required argument 'name'"],
    [["send", "alice", "hi", "--edit", "1", "--reply", "2"], "cannot be used with"],
    [["send", "--edit", "1", "--wait", "read", "hi"], "cannot be used with"],
    [["react", "12"], "give either an emoji or --remove"],
    [["react", "12", "👍", "--remove"], "give either an emoji or --remove"],
    [["delete", "--all", "alice", "--for-all"], "--for-all takes one id"],
  ])("%j is a wrong command line", async (args, why) => {
    const refused = await new CliFixture().run([...bob, ...args])
    expect(refused).toMatchObject({ code: 64, stdout: "", stderr: expect.stringContaining(why) as string })
  })
})
