import { Command, Option } from "commander"
import { execFile } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { beforeEach, describe, expect, it, onTestFinished } from "vitest"
import * as v from "valibot"
import { commandTree } from "../../src/cli/shell/command-tree.ts"
import { powershellScript } from "../../src/cli/shell/completion-powershell.ts"
import { completionTable } from "../../src/cli/shell/completion-table.ts"
import { serveCommands } from "../../src/daemon/server.ts"
import { profilePaths } from "../../src/paths.ts"
import { CliFixture, paired } from "./cli-fixture.ts"
import { CONTACT_NAMES, Shell, SHELL_NAMES, shellIsMissing } from "./shell.ts"

const run = promisify(execFile)

/** Each makes a file called PWNED, or becomes another word, in a shell that does not take it as a plain name. */
const HOSTILE = [
  "$(touch PWNED)",
  "`touch PWNED`",
  "a;touch PWNED",
  "a & touch PWNED &",
  "a|touch PWNED",
  "a>PWNED",
  "'; touch PWNED; '",
  '"; touch PWNED; "',
  '"$(touch PWNED)"',
  "(touch PWNED)",
  "${HOME}",
  "$HOME",
  "=ls",
  "#nobody",
  "!touch",
  "a!!b",
  "*",
  "{a,b}",
  "a\\ b",
  "%s%n",
  "a:b",
  "x=y",
  "bob smith",
  "[bob]",
  "bob@home",
  "Zoë 名前",
]
/** Never offered to any shell. */
const UNSPEAKABLE = [
  "-rf",
  "--yes",
  "~root",
  "a\nb",
  "a\u001b[31mb",
  "a\tb",
  "a\u202eb",
  "a\u0000b",
  "a\u009bb",
  "",
]

/** A profile whose owner process reports these contacts. */
async function ownerOf(cli: CliFixture, names: () => readonly string[]): Promise<void> {
  const { socket } = profilePaths({ MQTTCHAT_HOME: cli.env["MQTTCHAT_HOME"] }, "default")
  const owner = await serveCommands(
    {
      commands: { contacts: { params: v.strictObject({}) } },
      call: () => Promise.resolve(names().map((name) => ({ name }))),
      listen: () => () => undefined,
    },
    socket,
  )
  onTestFinished(owner.close)
}

describe.each(SHELL_NAMES)("%s", (name) => {
  describe.skipIf(shellIsMissing(name))("with its script loaded", () => {
    let cli: CliFixture
    let shell: Shell
    beforeEach(async () => {
      cli = new CliFixture()
      shell = await Shell.open(name, cli)
    })

    it("completes commands, flags, their values and files if no process has the profile open", async () => {
      writeFileSync(join(cli.folder, "line for bob.txt"), "")
      expect(await shell.calls("mqttchat hist\t")).toEqual(["history"])
      expect(await shell.calls("mqttchat broker mosq\t")).toEqual(["broker", "mosquitto"])
      expect(await shell.calls("mqttchat --profile alice contacts ren\t")).toEqual([
        "--profile",
        "alice",
        "contacts",
        "rename",
      ])
      expect(await shell.calls("mqttchat history bob --la\t9")).toEqual(["history", "bob", "--last", "9"])
      expect(await shell.calls("mqttchat history --js\t")).toEqual(["history", "--json"])
      expect(await shell.calls("mqttchat --color al\tstatus")).toEqual(["--color", "always", "status"])
      expect(await shell.calls("mqttchat --color=al\t")).toEqual(["--color=always"])
      expect(await shell.calls("mqttchat pub --qos 1 --mqtt-version 5\t")).toContain("5")
      expect(await shell.calls("mqttchat register lin\t")).toEqual(["register", "line for bob.txt"])
      expect(await shell.calls("mqttchat help hist\t")).toEqual(["help", "history"])
      expect(await shell.calls("mqttchat help contacts blo\t")).toEqual(["help", "contacts", "block"])
      expect(await shell.calls("mqttchat send \t")).toEqual(["send"])
    })

    it("treats a name that a stranger chose as a name only", async () => {
      let names: readonly string[] = []
      await ownerOf(cli, () => names)
      for (const hostile of HOSTILE) {
        names = [...UNSPEAKABLE, hostile]
        expect(await shell.calls("mqttchat send \t"), hostile).toEqual(["send", hostile])
      }
      names = HOSTILE.map((hostile) => `x${hostile}`)
      expect(await shell.calls('mqttchat send "x$(\t)"'), "between double quotes").toHaveLength(2)
      expect(await shell.calls("mqttchat send 'x'\t"), "after single quotes").toHaveLength(2)
      expect(await shell.calls("mqttchat send xbob\\ s\t hello")).toEqual(["send", "xbob smith", "hello"])
      expect(await shell.calls('mqttchat send "xbob s\t')).toEqual(["send", "xbob smith"])
      expect(existsSync(join(cli.folder, "PWNED"))).toBe(false)
    })
  })
})

describe("PowerShell, which is not installed for tests", () => {
  it("gets the script that was reviewed by hand", async () => {
    const program = new Command("mqttchat").option("--profile <name>", "which one")
    program.command("send <name> [text]").description("it's one message").option("-f, --file <file>", "from")
    program
      .command("sub <topic>")
      .addOption(new Option("--qos <level>", "quality").choices(["0", "1"]))
      .command("up")
    const script = powershellScript(completionTable(commandTree(program)))
    await expect(script).toMatchFileSnapshot("completion.ps1")
  })
})

describe("the names of contacts", () => {
  it("come from the process that has the profile open, and from nowhere else", async () => {
    const cli = new CliFixture()
    await paired(cli)
    const namesOf = async (profile: string): Promise<readonly string[]> => {
      const { stdout, stderr } = await run(process.execPath, [CONTACT_NAMES, profile], { env: cli.env })
      return [stdout, stderr]
    }
    expect(await namesOf("bob")).toEqual(["", ""])
    const owner = cli.start(["--profile", "bob", "chat", "alice"])
    await owner.prints(/VERIFIED|alice/)
    expect(await namesOf("bob")).toEqual(["alice\n", ""])
    expect(await namesOf("../bob")).toEqual(["", ""])
    await owner.stop()
    expect(await namesOf("bob")).toEqual(["", ""])
  })
})
