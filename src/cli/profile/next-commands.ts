import type { ProfileState } from "./profile-state.ts"

/** A command that fits the state, and what it is for. */
export type NextCommand = { readonly line: string; readonly about: string }

const WITHOUT_PROFILE: readonly NextCommand[] = [
  { line: "mqttchat init", about: "make your keys and choose a broker" },
  { line: "mqttchat pair CODE@HOST", about: "type the code that someone gave you" },
  { line: "mqttchat register INVITATION", about: "join the broker that you were invited to" },
  { line: "mqttchat import FILE", about: "restore a backup" },
]

const WHILE_LOCKED: readonly NextCommand[] = [
  { line: "mqttchat inbox", about: "read new messages; asks for the passphrase" },
  { line: "mqttchat daemon", about: "ask once, and keep the profile open for all commands" },
]

const CHATTING: readonly NextCommand[] = [
  { line: "mqttchat chat NAME", about: "open a chat" },
  { line: 'mqttchat send NAME "on my way"', about: "send one message" },
  { line: "mqttchat contacts", about: "list your contacts" },
]

const ADD_CONTACT: NextCommand = { line: "mqttchat pair", about: "show a code for a new contact" }
const TYPE_CODE = { line: "mqttchat pair CODE@HOST", about: "type the code that someone gave you" }

export function nextCommands(state: ProfileState): readonly NextCommand[] {
  switch (state.kind) {
    case "no-profile":
      return WITHOUT_PROFILE
    case "locked":
      return state.isDaemon
        ? [{ line: "mqttchat daemon unlock", about: "unlock the keys that the daemon holds" }]
        : WHILE_LOCKED
    case "fault":
      return [{ line: "mqttchat doctor", about: state.fault.hint ?? "find out what is wrong" }]
    case "open":
      return whenOpen(state)
  }
}

const START_BROKER = {
  line: "mqttchat broker",
  about: "start the broker of this laptop, in another terminal",
}
const READ = { line: "mqttchat inbox", about: "read the new messages" }
const DOCTOR = { line: "mqttchat doctor", about: "find out why it is offline" }
const REGISTER = {
  line: "mqttchat register INVITATION",
  about: "join the broker that you were invited to",
}

const SET_BROKER = { line: "mqttchat config set broker HOST", about: "use a broker that you have" }

type Open = Extract<ProfileState, { kind: "open" }>

function whenOpen(state: Open): readonly NextCommand[] {
  const { status, contacts } = state
  const hasBroker = status.connection.kind !== "none"
  return [
    ...connecting(state),
    ...(status.unread > 0 ? [READ] : []),
    ...(contacts.length > 0 ? CHATTING : []),
    ...(hasBroker ? [ADD_CONTACT] : []),
    ...(contacts.length === 0 || !hasBroker ? [TYPE_CODE] : []),
  ]
}

function connecting({ status, here }: Open): readonly NextCommand[] {
  if (status.connection.kind === "online") return []
  if (here) return [START_BROKER]
  return status.connection.kind === "none" ? [REGISTER, SET_BROKER] : [DOCTOR]
}
