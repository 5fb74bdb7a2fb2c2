import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { ARGON2_COST } from "../../src/crypto/argon2.ts"
import { readSealed } from "../../src/keystore/sealed-format.ts"
import { CliFixture, PROGRAM } from "../cli/cli-fixture.ts"

const WEAK = "globalThis.TEST_ARGON2_COST={memoryKiB:8192,iterations:1,parallelism:1}"

describe("the program that ships", () => {
  it("has one cost, and no setting for another", () => {
    const folder = dirname(PROGRAM)
    const scripts = readdirSync(folder).filter((name) => /\.c?js$/.test(name))
    const text = scripts.map((name) => readFileSync(join(folder, name), "utf8")).join("\n")
    expect(text).not.toContain("TEST_ARGON2_COST")
    const costs = [...text.matchAll(/memoryKiB:([\d._e]+),iterations:(\d+)/g)].map(([, ...cost]) => cost)
    // The cost in the header of a file without a passphrase, and that of a passphrase.
    expect(costs.toSorted()).toEqual([
      ["0", "0"],
      [String(ARGON2_COST.memoryKiB), String(ARGON2_COST.iterations)],
    ])
  })

  it("locks at the full cost, with any environment", async () => {
    const cli = new CliFixture()
    const phrase = join(cli.folder, "phrase")
    writeFileSync(phrase, "correct horse", { mode: 0o600 })
    const weak = `--import=data:text/javascript,${encodeURIComponent(WEAK)}`
    cli.more = { NODE_OPTIONS: weak, TEST_ARGON2_COST: "8192" }
    const made = await cli.run(["init", "--name", "alice", "--passphrase-file", phrase, "--broker", "here"])
    expect(made.code, made.stderr).toBe(0)
    const key = readFileSync(join(cli.folder, "home", "default", "identity.key"))
    expect(readSealed(new Uint8Array(key))?.header.lock).toMatchObject({ cost: ARGON2_COST })
  })
})
