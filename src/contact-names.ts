#!/usr/bin/env node
import { endByHangUp } from "./cli/terminal/hang-up.ts"
import { printRows } from "./cli/terminal/print.ts"
import { connectOwner } from "./daemon/client.ts"
import { DEFAULT_PROFILE } from "./default-profile.ts"
import { Fault } from "./errors.ts"
import { profilePaths } from "./paths.ts"
import { displayName } from "./wire/text.ts"

/** Nobody who presses the tab key waits longer for an owner that is busy. */
const ANSWER_TIMEOUT_MS = 1_000
/** No list on a screen is longer. */
const NAMES_MAX = 1_000
/** A flag, or what fish takes for somebody's home folder however it is quoted. */
const MISREAD_BY_SHELL = /^[-~]/

/**
 * Prints the names that may be typed after `mqttchat send`, one a line, for the scripts of `mqttchat completion`; a
 * program of its own, because every press of the tab key starts it. Only the owner of the profile is asked: where there
 * is none, the names stay locked away. A name that a shell or a terminal would not take as it is is left out.
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
    const owner = await connectOwner(profilePaths(process.env, profile).socket)
    if (owner === undefined) return []
    setTimeout(() => void owner.close(), ANSWER_TIMEOUT_MS).unref()
    const contacts = await owner.call("contacts", {})
    await owner.close()
    return contacts.slice(0, NAMES_MAX).map(({ name }) => name)
  } catch (fault) {
    // Whoever presses the tab key asked no question that an error would answer.
    if (!(fault instanceof Fault)) throw fault
    return []
  }
}

endByHangUp()
void printContactNames(process.argv[2] || (process.env["MQTTCHAT_PROFILE"] ?? DEFAULT_PROFILE))
