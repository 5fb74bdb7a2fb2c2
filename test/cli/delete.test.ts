import { join } from "node:path"
import { expect, it } from "vitest"
import { CliFixture, copyPair, paired } from "./cli-fixture.ts"

const alice = ["--profile", "alice"]
const bob = ["--profile", "bob"]

async function texts(cli: CliFixture, ...args: readonly string[]): Promise<string[]> {
  const { stdout } = await cli.run([...alice, "--json", "history", "bob", ...args])
  const rows = stdout.split("\n").filter((row) => row !== "")
  return rows.map((row) => (JSON.parse(row) as { text: string }).text)
}

it("Alice reads parts of a conversation by ids and times, and deletes of it here only", async () => {
  const cli = new CliFixture()
  await paired(cli)
  for (const text of ["one", "two", "three", "four"]) await cli.run([...bob, "send", "alice", text])
  while ((await texts(cli)).length < 4) await cli.run([...alice, "inbox"])
  const listed = await cli.run([...alice, "history", "bob", "--ids"])
  const ids = [...listed.stdout.matchAll(/^([0-9a-f]{8}) {2}\d\d:\d\d bob: /gm)].map(([, id = ""]) => id)
  const [, two = "", three = ""] = ids
  expect(ids).toHaveLength(4)
  expect(await texts(cli, "--after", two)).toEqual(["three", "four"])
  expect(await texts(cli, "--before", three)).toEqual(["one", "two"])
  expect(await texts(cli, "--before", three, "--limit", "1")).toEqual(["two"])
  expect(await texts(cli, "--since", "1d")).toEqual(["one", "two", "three", "four"])
  expect(await texts(cli, "--since", "2999-01-01")).toEqual([])
  const part = await cli.run([...alice, "history", "bob", "--since", "1d", "--limit", "2"])
  expect(part.stderr).toBe(`more: mqttchat --profile alice history --after ${two} bob\n`)

  expect(await cli.run([...alice, "delete", three])).toMatchObject({
    code: 0,
    stdout: "",
    stderr: "✓ 1 message deleted here; bob keeps what has arrived\n",
  })
  expect(await texts(cli)).toEqual(["one", "two", "four"])
  expect(await cli.run([...alice, "search", "three"])).toMatchObject({ code: 66 })
  expect(await cli.run([...alice, "delete", three])).toMatchObject({ code: 66 })
  expect((await cli.run([...bob, "history", "alice"])).stdout).toContain("three")
  await cli.run([...bob, "send", "alice", "five"])
  while (!(await texts(cli)).includes("five")) await cli.run([...alice, "inbox"])
  expect(await texts(cli)).toEqual(["one", "two", "four", "five"])

  const asked = await cli.run([...alice, "delete", "--all", "bob"])
  expect(asked).toMatchObject({ code: 64, stderr: expect.stringContaining("give --yes") as string })
  expect(await cli.run([...alice, "delete", "--all", "BOB", "--yes", "--json"])).toMatchObject({
    code: 0,
    stdout: '{"schema":"mqttchat/deleted/1","deleted":4,"cancelled":0}\n',
  })
  expect(await texts(cli)).toEqual([])
  expect((await cli.run([...alice, "contacts"])).stdout).toContain("bob")
})

it.each([
  [["delete"], 64, "give either an id or --all"],
  [["delete", "12", "--all", "bob"], 64, "give either an id or --all"],
  [["delete", "xyz"], 64, "an id is up to 16 digits"],
  [["delete", "00"], 66, "no message has an id that begins with 00"],
  [["delete", "--all", "carol", "--yes"], 66, "no contact is called carol"],
  [["history", "bob", "--since", "someday"], 64, "a time is needed"],
])("%j is refused with %i", async (args, code, why) => {
  const cli = new CliFixture()
  await copyPair(join(cli.folder, "home", "alice"), join(cli.folder, "home", "bob"))
  const ended = await cli.run([...alice, ...args])
  expect(ended).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(why) as string })
})
