import { expect, it } from "vitest"
import { CliFixture, paired, type Finished } from "./cli-fixture.ts"

/** Carol pairs with Alice, who knows Bob. */
async function threePeople(cli: CliFixture): Promise<void> {
  await paired(cli)
  const offer = cli.start(["--profile", "alice", "pair"])
  const [, code = ""] = await offer.prints(/mqttchat pair (\S+@\S+)\n/)
  await cli.run(["--profile", "carol", "pair", code, "--my-name", "carol", "--no-passphrase"])
  await offer.finished()
}

it("Alice introduces Bob to Carol on the command line: both are asked, and no process has to run all the time", async () => {
  const cli = new CliFixture()
  await threePeople(cli)
  const as = (name: string, ...args: string[]): Promise<Finished> => cli.run(["--profile", name, ...args])
  expect(await as("alice", "introduce", "bob", "bob")).toMatchObject({ code: 64 })
  expect(await as("alice", "introduce", "bob", "dave")).toMatchObject({ code: 66 })
  expect(await as("alice", "introduce", "bob", "carol")).toMatchObject({
    code: 0,
    stdout: "",
    stderr:
      "✓ carol is asked whether they want to meet bob\n" +
      "If they agree, bob is asked too. You do not learn who says no\n",
  })
  expect((await as("alice", "introductions")).stdout).toMatch(/^ {2}1 {2}.+ left {2}you asked carol whether/)

  const inbox = await as("carol", "inbox")
  expect(inbox.stdout).toContain("alice asks whether you want to meet bob: mqttchat introductions accept 1")
  expect((await as("carol", "introductions")).stdout).toMatch(/alice asks whether you want to meet bob\n$/)
  expect(await as("carol", "introductions", "accept", "2")).toMatchObject({ code: 66 })
  expect(await as("carol", "introductions", "accept", "x")).toMatchObject({ code: 64 })
  expect(await as("carol", "introductions", "accept", "1")).toMatchObject({
    code: 0,
    stderr: "✓ alice is told that you want to meet bob\nbob becomes a contact when they agree, too\n",
  })
  await as("alice", "inbox")
  await as("bob", "inbox")
  const accepted = await as("bob", "introductions", "accept", "1")
  expect(accepted.stderr).toMatch(/^✓ carol is a contact now, introduced by alice and not verified\n/)
  expect(accepted.stderr).toContain("mqttchat --profile bob verify carol")
  await as("carol", "inbox")
  await as("bob", "inbox")
  for (const [name, other] of [
    ["bob", "carol"],
    ["carol", "bob"],
  ] as const)
    expect((await as(name, "contacts")).stdout).toMatch(
      new RegExp(`^UNVERIFIED .+ ${other} {2}\\(.*introduced by alice`, "m"),
    )
  await as("bob", "send", "carol", "hello, Carol")
  expect((await as("carol", "inbox")).stdout).toContain("bob: hello, Carol")
  expect((await as("carol", "introductions")).stderr).toContain("no introduction is under way")
})
