#!/usr/bin/env node
import { keepMemoryOutOfCores } from "./cli/terminal/core-dump.ts"
import { endByHangUp } from "./cli/terminal/hang-up.ts"
import { printRows } from "./cli/terminal/print.ts"
import { connectOwner } from "./daemon/client.ts"
import { DEFAULT_PROFILE } from "./default-profile.ts"
import { Fault } from "./errors.ts"
import { profilePaths } from "./paths.ts"
import { displayName } from "./wire/text.ts"

/** The tab key waits no longer than this for a busy owner. */
const ANSWER_TIMEOUT_MS = 1_000
/** Longer lists do not fit on a screen. */
const NAMES_MAX = 1_000
/** Looks like a flag, or like a home folder to fish, which ignores quotes there. */
const MISREAD_BY_SHELL = /^[-~]/

/**
 * Prints the names that may be typed after `mqttchat send`, one a line, for the scripts of `mqttchat completion`. It is
 * a program of its own because every press of the tab key starts it. It asks only the owner of the profile; if there is
 * none, it prints nothing and unlocks nothing. It leaves out names that a shell or a terminal would change.
 */
async function printContactNames(profile: string): Promise<void> {
  const names = (await namesFor(profile)).filter(isPlain)
  process.exitCode = await printRows(names.map(displayName))
}

function isPlain(name: string): boolean {
  return name !== "" && displayName(name) === name && !MISREAD_BY_SHELL.test(name)
}

async function namesFor(profile: string): Promise<readonly string[]> {
  try {
    const { socket } = profilePaths(process.env, profile)
    const owner = await connectOwner(socket, { answerMs: ANSWER_TIMEOUT_MS })
    if (owner === undefined) return []
    setTimeout(() => void owner.close(), ANSWER_TIMEOUT_MS).unref()
    const contacts = await owner.call("contacts", {})
    await owner.close()
    return contacts.slice(0, NAMES_MAX).map(({ name }) => name)
  } catch (fault) {
    // An error message would only disturb the command line that is being typed.
    if (!(fault instanceof Fault)) throw fault
    return []
  }
}

keepMemoryOutOfCores()
endByHangUp()
void printContactNames(process.argv[2] || (process.env["MQTTCHAT_PROFILE"] ?? DEFAULT_PROFILE))
