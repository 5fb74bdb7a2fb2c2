import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"

const MODEL = join(import.meta.dirname, "delivery.pml")
/** Ten times what the largest of the searches takes. */
const MEMORY_MIB = 2048
/** Breadth first, so that a counterexample has as few steps as possible. */
const VERIFIER = ["-w", "-O1", "-DSAFETY", "-DBFS", `-DMEMLIM=${MEMORY_MIB}`, "-o", "pan", "pan.c"]

const MISTAKES = [
  ["publish before persist", "PUBLISH_FIRST", "key_used_twice"],
  ["PUBACK before commit", "PUBACK_FIRST", "falsely_on_broker"],
  ["receipt before commit", "RECEIPT_FIRST", "lost"],
  ["what came before is known by memory alone", "SEEN_IN_MEMORY", "shown_twice"],
  ["nothing is held back", "NO_WAITING", "out_of_order"],
] as const

function toolsAreMissing(): boolean {
  const missing = [
    ["spin", "-V"],
    ["gcc", "--version"],
  ].flatMap(([tool = "", asked = ""]) => (spawnSync(tool, [asked]).status === 0 ? [] : [tool]))
  if (missing.length > 0 && process.env["MQTTCHAT_TEST_REQUIRE"] === "all") {
    throw new Error(`not installed: apt-get install ${missing.join(" ")} libc6-dev`)
  }
  return missing.length > 0
}

type Search = { readonly verdict: string; readonly replay: () => string }

/** Searches every state of the model, or up to the first that breaks a claim. */
function search(...defines: readonly string[]): Search {
  const cwd = mkdtempSync(join(tmpdir(), "mqttchat-model-"))
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }))
  const run = (command: string, ...args: readonly string[]): string =>
    execFileSync(command, args, { cwd, encoding: "utf8" })
  const given = defines.map((define) => `-D${define}`)
  run("spin", ...given, "-a", MODEL)
  run("gcc", ...VERIFIER)
  return {
    verdict: run(join(cwd, "pan")),
    replay: () => run("spin", ...given, "-t", "-p", "-k", "delivery.pml.trail", MODEL),
  }
}

/** All states were searched, none broke a claim, and every line of the model was needed to reach them. */
function expectHolds({ verdict }: Search): void {
  expect(verdict).toMatch(/^State-vector .*, errors: 0$/m)
  expect(verdict).not.toMatch(/Search not completed|too small|out of memory|MEMLIM/)
  const idle = [...verdict.matchAll(/, state \d+, "(.*)"$/gm)].map(([, line]) => line)
  expect(new Set(idle)).toEqual(new Set(["-end-"]))
}

describe.skipIf(toolsAreMissing())("the delivery of a text, in every possible order of events", () => {
  it("persist, publish, commit, PUBACK: nothing is lost, doubled, falsely ticked or out of order", () => {
    expectHolds(search())
  })

  it("and a broker that forgets acknowledged messages makes only its own tick false", () => {
    expectHolds(search("BROKER_FORGETS"))
  })

  it.each(MISTAKES)("%s: %s breaks the claim %s", (_what, mistake, claim) => {
    const { verdict, replay } = search(mistake)
    expect(verdict).toMatch(new RegExp(`^pan:1: assertion violated +!\\(${claim}\\)`, "m"))
    expect(verdict).toMatch(/^State-vector .*, errors: 1$/m)
    expect(replay()).toContain(`text of failed assertion: assert(!(${claim}))`)
  })
})
