import { setTimeout } from "node:timers/promises"
import { openSocket } from "../../transport/trust.ts"
import { isSame, runAttack } from "./attack-runner.ts"
import type { Attack, Probes } from "./attack-runner.ts"

/** Four times what any message of ours needs. */
const OVERSIZED_BYTES = 262_144
/** CONNECT with a remaining length of 268,435,455 bytes, the most that MQTT can say. */
const ENDLESS_CONNECT = new Uint8Array([0x10, 0xff, 0xff, 0xff, 0x7f])
const CHUNK_BYTES = 65_536
const CHUNKS = 16
/** How long a broker has to hang up on a packet of which it has read far too much. */
const HANG_UP_MS = 5_000

/** A message far over any of ours reaches Alice. */
export const sendsOversized: Attack = (probes) =>
  runAttack(probes, async (runner) => {
    const aliceInbox = runner.inbox(probes.alice)
    const [alice, mallory] = [await runner.connect(probes.alice), await runner.connect(probes.mallory)]
    await alice.subscribe(aliceInbox)
    const huge = { topic: aliceInbox, payload: probes.random(OVERSIZED_BYTES) }
    await mallory.publish(huge)
    const sender = mallory.hasEnded ? await runner.connect(probes.mallory) : mallory
    if (!(await runner.delivers(sender, alice, aliceInbox))) return "unclear"
    return alice.received.some(isSame(huge)) ? "succeeds" : "fails"
  })

/** The broker goes on collecting a packet that announces 256 MB, from a client that it has not let in. */
export async function announcesEndlessPacket({ mallory }: Probes): Promise<"succeeds" | "fails"> {
  const proven = { anchor: undefined, session: undefined }
  const { socket } = await openSocket(mallory.connector.target, proven, new AbortController().signal)
  const closed = new Promise<"fails">((resolve) => socket.once("close", () => resolve("fails")))
  socket.resume()
  const sent = (async (): Promise<"succeeds"> => {
    socket.write(ENDLESS_CONNECT)
    for (let chunk = 0; chunk < CHUNKS && socket.writable; chunk++) {
      await new Promise<void>((written) => socket.write(new Uint8Array(CHUNK_BYTES), () => written()))
    }
    await setTimeout(HANG_UP_MS)
    return "succeeds"
  })()
  const outcome = await Promise.race([sent, closed])
  socket.destroy()
  return outcome
}
