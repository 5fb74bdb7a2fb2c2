import { Fault } from "../errors.ts"
import { VERSION } from "../version.ts"
import { VERSION_METHOD } from "./rpc.ts"

/** As npm writes a version; anything else is not shown. */
const VERSION_TEXT = /^[0-9A-Za-z.+-]{1,32}$/

/** What answers at a socket, and how to replace it with this version. */
const PEERS = {
  owner: { name: "the mqttchat that has this profile open", hint: "mqttchat daemon stop" },
  broker: { name: "the broker that is running here", hint: "end it, then start it again: mqttchat broker" },
} as const
export type Peer = keyof typeof PEERS

type Request = (method: string, params: object) => Promise<unknown>

/**
 * Asks for the version first: another version may mean something else by the same request. One that does not know this
 * question is older. Fault `other-version` for another one.
 */
export async function requireSameVersion(request: Request, peer: Peer): Promise<void> {
  const theirs = await versionOf(request)
  if (theirs === VERSION) return
  const { name, hint } = PEERS[peer]
  const shown = VERSION_TEXT.test(theirs) ? `version ${theirs}` : "another version"
  throw new Fault("other-version", `${name} is ${shown}, and this command is version ${VERSION}`, hint)
}

/** Empty if it has no version to give. */
async function versionOf(request: Request): Promise<string> {
  try {
    const answer = await request(VERSION_METHOD, {})
    return typeof answer === "object" && answer !== null && "version" in answer ? String(answer.version) : ""
  } catch (cause) {
    if (cause instanceof Fault && cause.code === "protocol") return ""
    throw cause
  }
}
