import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { CliFixture, copyHome } from "./cli-fixture.ts"

const PASSPHRASE = "correct horse battery"

/** Erin, whose keys are locked, and a file as a password manager prints it. */
async function erin(): Promise<{ cli: CliFixture; file: string }> {
  const cli = new CliFixture()
  await copyHome(cli, "erin", makeErin)
  return { cli, file: managerOutput(cli) }
}

function managerOutput(cli: CliFixture): string {
  const file = join(cli.folder, "manager output")
  writeFileSync(file, `${PASSPHRASE}\r\nuser: erin\nurl: mqtts://pi.local\n`)
  return file
}

async function makeErin(cli: CliFixture): Promise<void> {
  const command = `cat '${managerOutput(cli)}'`
  const init = ["init", "--name", "erin", "--broker", "later", "--passphrase-command", command]
  expect((await cli.run(init)).code).toBe(0)
}

it("the first line of a command opens the keys, and a daemon that holds them makes it needless", async () => {
  const { cli, file } = await erin()
  const opened = await cli.run(["contacts", "--passphrase-command", `cat '${file}'`])
  expect(opened).toMatchObject({ code: 0, stderr: "no contacts yet: mqttchat pair\n" })
  expect((await cli.run(["contacts"])).code).toBe(64)
  const daemon = cli.start(["daemon", "--passphrase-command", `cat '${file}'`])
  await daemon.prints(/daemon running/)
  expect((await cli.run(["contacts", "--passphrase-command", "exit 9"])).code).toBe(0)
  await cli.run(["daemon", "lock"])
  expect((await cli.run(["daemon", "unlock", "--passphrase-command", "echo wrong"])).code).toBe(77)
  expect((await cli.run(["daemon", "unlock", "--passphrase-command", `cat '${file}'`])).code).toBe(0)
})

it("the command does not read what is meant for mqttchat on stdin", async () => {
  const { cli, file } = await erin()
  const sent = await cli.run(
    ["send", "bob", "-", "--passphrase-command", `cat; cat '${file}'`],
    "a message, not a passphrase\n",
  )
  expect(sent).toMatchObject({
    code: 66,
    stderr: expect.stringContaining("no contact is called bob") as string,
  })
})

it.each([
  ["exit 3", 69, "ended with 3"],
  ["kill $$", 69, "was ended by SIGTERM"],
  ["no-such-program-here", 69, "ended with 127"],
  ["true", 69, "printed nothing"],
  ["echo", 69, "printed nothing"],
  ["yes", 69, "prints more than 65536 bytes"],
  ["head -c 2000 /dev/zero | tr '\\0' x", 65, "has more than 1024 bytes"],
  ["printf '\\377\\376'", 64, "is not one line of text in UTF-8"],
  ["echo wrong", 77, "passphrase"],
])("%s ends with %i", async (command, code, why) => {
  const { cli } = await erin()
  const ended = await cli.run(["contacts", "--passphrase-command", command])
  expect(ended).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(why) as string })
  expect(ended.stderr).not.toContain("echo wrong")
})

it("ends at the first signal while the command waits, and takes one source of a passphrase only", async () => {
  const { cli, file } = await erin()
  const waiting = cli.start(["contacts", "--passphrase-command", "echo asking >&2; exec sleep 600"])
  await waiting.prints(/asking/)
  waiting.kill("SIGTERM")
  expect(await waiting.finished()).toMatchObject({ signal: "SIGTERM" })
  const both = await cli.run(["contacts", "--passphrase-command", "x", "--passphrase-file", file])
  expect(both).toMatchObject({ code: 64, stderr: expect.stringContaining("cannot be used with") as string })
})
