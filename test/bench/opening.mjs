import { dirname, join } from "node:path"
import { parseArgs } from "node:util"
import { openPrograms } from "./programs.mjs"

/** A profile of years beside one of today: whole processes, in turn. Filling takes minutes. */
const { values } = parseArgs({
  options: {
    contacts: { type: "string", default: "5000" },
    messages: { type: "string", default: "1000000" },
  },
})
const ROUNDS = 9
const FILL = join(import.meta.dirname, "fill-profile.mjs")
const COMMANDS = [
  ["status"],
  ["history", "alice"],
  ["search", "bread"],
  ["contacts"],
  ["send", "alice", "hello"],
]

const { run, mqttchat, start, pair, end, fileOf } = openPrograms()
const median = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]

function timeOf(user, command) {
  const begun = performance.now()
  mqttchat(user, ...command)
  return performance.now() - begun
}

function compare(command) {
  const times = { new: [], old: [] }
  for (let round = 0; round < ROUNDS; round++)
    for (const [user, taken] of Object.entries(times)) taken.push(timeOf(user, command))
  const [empty, large] = [median(times.new), median(times.old)]
  const figures = `${empty.toFixed(0).padStart(6)} ms, then ${large.toFixed(0).padStart(6)} ms`
  console.log(`${command[0].padEnd(10)} ${figures} ${(large / empty).toFixed(2).padStart(6)} x`)
}

try {
  mqttchat("alice", "init", "--name", "alice", "--no-passphrase", "--broker", "here")
  await start("alice", "port", ["broker", "--loopback", "--port", "0"])
  for (const name of ["new", "old"]) await pair(name)
  const size = ["--contacts", values.contacts, "--messages", values.messages]
  run("old", "--import", "tsx", FILL, "--folder", dirname(fileOf("old", "messages.db")), ...size)
  console.log(`one contact, then ${values.contacts} and ${values.messages} messages`)
  for (const command of COMMANDS) compare(command)
} finally {
  await end()
}
