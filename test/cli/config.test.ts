import { expect, test } from "vitest"
import { CliFixture, copyHome } from "./cli-fixture.ts"

const MAKE = ["init", "--name", "alice", "--no-passphrase", "--broker", "later"]

async function madeProfile(): Promise<CliFixture> {
  const cli = new CliFixture()
  await copyHome(cli, "settings", async (fixture) => expect((await fixture.run(MAKE)).code).toBe(0))
  return cli
}

test("Alice reads and changes her settings, and what get prints is what set takes", async () => {
  const cli = await madeProfile()
  expect((await cli.run(["config", "set", "daemon.on-demand", "on"])).code).toBe(0)
  const { stdout } = await cli.run(["config", "get", "daemon.on-demand"])
  expect(stdout).toBe("on\n")
  expect((await cli.run(["config", "set", "daemon.on-demand", stdout.trim()])).code).toBe(0)
  const listed = (await cli.run(["--json", "config", "list"])).stdout.trim().split("\n")
  const rows = listed.map((row) => JSON.parse(row) as { key: string; value: string | null })
  const values = Object.fromEntries(rows.map(({ key, value }) => [key, value]))
  expect(values).toMatchObject({ name: "alice", broker: null, "broker.pin": null, "daemon.on-demand": "on" })
})

test.each([
  [["config", "get", "nothing"], 64],
  [["config", "set", "daemon.on-demand", "perhaps"], 64],
  [["config", "set", "name", "two\nlines"], 64],
  [["config", "set", "broker.pin", "00"], 64],
  [["config", "get", "broker"], 66],
])("%j ends with %i and changes nothing", async (args, code) => {
  const cli = await madeProfile()
  const before = (await cli.run(["config", "list"])).stdout
  expect((await cli.run(args)).code).toBe(code)
  expect((await cli.run(["config", "list"])).stdout).toBe(before)
})

test("how much a contact may send that was never verified has a default, and bounds", async () => {
  const cli = await madeProfile()
  expect((await cli.run(["config", "get", "unverified.per-hour"])).stdout).toBe("3600\n")
  expect((await cli.run(["config", "get", "unverified.mebibytes"])).stdout).toBe("64\n")
  expect((await cli.run(["config", "set", "unverified.per-hour", "100"])).code).toBe(0)
  expect((await cli.run(["config", "get", "unverified.per-hour"])).stdout).toBe("100\n")
  for (const typed of ["0", "-1", "1e3", "10000001", ""])
    expect((await cli.run(["config", "set", "unverified.per-hour", "--", typed])).code, typed).toBe(64)
})

test("a key takes effect in a daemon that is running", async () => {
  const cli = await madeProfile()
  const daemon = cli.start(["daemon"])
  await daemon.prints(/holds the profile|daemon|serving/)
  expect((await cli.run(["config", "set", "name", "Alice Two"])).code).toBe(0)
  const { stdout } = await cli.run(["--json", "daemon", "status"])
  expect(JSON.parse(stdout)).toMatchObject({ name: "Alice Two" })
})
