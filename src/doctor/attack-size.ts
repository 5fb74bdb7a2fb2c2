import { openSocket } from "../transport/trust.ts"
import { isSame, staged } from "./scene.ts"
import type { Attack, Scene } from "./scene.ts"

/** Four times what any message of ours needs. */
const OVERSIZED_BYTES = 262_144
/** CONNECT with a remaining length of 268,435,455 bytes, the most that MQTT can say. */
const ENDLESS_CONNECT = new Uint8Array([0x10, 0xff, 0xff, 0xff, 0x7f])
const PIECE_BYTES = 65_536
const PIECES = 16
/** How long a broker has to hang up on a packet of which it has read far too much. */
const HANG_UP_MS = 5_000

/** A message far over any of ours reaches Alice. */
export const sendsOversized: Attack = (scene) =>
  staged(scene, async (stage) => {
    const hers = stage.inbox(scene.alice)
    const [alice, mallory] = [await stage.enter(scene.alice), await stage.enter(scene.mallory)]
    await alice.subscribe(hers)
    const huge = { topic: hers, payload: scene.random(OVERSIZED_BYTES) }
    await mallory.publish(huge)
    const messenger = mallory.isOver ? await stage.enter(scene.mallory) : mallory
    if (!(await stage.carries(messenger, alice, hers))) return "unclear"
    return alice.heard.some(isSame(huge)) ? "succeeds" : "fails"
  })

/** The broker goes on collecting a packet that announces 256 MB, from a client that it has not let in. */
export async function announcesEndlessPacket({ mallory }: Scene): Promise<"succeeds" | "fails"> {
  const proven = { anchor: undefined, session: undefined }
  const { socket } = await openSocket(mallory.dialler.target, proven, new AbortController().signal)
  const closed = new Promise<"fails">((resolve) => socket.once("close", () => resolve("fails")))
  socket.resume()
  const fed = (async (): Promise<"succeeds"> => {
    socket.write(ENDLESS_CONNECT)
    for (let piece = 0; piece < PIECES && socket.writable; piece++) {
      await new Promise<void>((written) => socket.write(new Uint8Array(PIECE_BYTES), () => written()))
    }
    await new Promise((resolve) => setTimeout(resolve, HANG_UP_MS))
    return "succeeds"
  })()
  const outcome = await Promise.race([fed, closed])
  socket.destroy()
  return outcome
}
