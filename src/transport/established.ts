import type { Socket } from "node:net"

import { codeOf, ENDED_HANDSHAKE } from "../errors.ts"
import { NO_ANSWER } from "./failures.ts"

/**
 * The socket, once it has had `event`. Rejects with the errors that `failureOf` reads, and destroys the socket when it
 * takes too long or the signal ends it.
 */
export function established<S extends Socket>(
  socket: S,
  event: "connect" | "secureConnect",
  { signal, timeout }: { readonly signal: AbortSignal; readonly timeout: number },
): Promise<S> {
  return new Promise((resolve, reject) => {
    let isConnected = false
    const onConnect = () => (isConnected = true)
    const onAbort = () => socket.destroy(new Error("the link was closed"))
    const onTimeout = () =>
      socket.destroy(Object.assign(new Error("no handshake in time"), { code: NO_ANSWER }))
    const cleanUp = () => {
      socket.setTimeout(0)
      // the listener of errors stays: one that comes before the next listener must not end the process
      socket.off("connect", onConnect).off("close", onClose).off("timeout", onTimeout)
      signal.removeEventListener("abort", onAbort)
    }
    const onError = (error: Error) => reject(isConnected && isReset(error) ? endedHandshake(error) : error)
    const onClose = () => reject(endedHandshake())
    // the signal is the link's, which outlives thousands of attempts
    socket.once("close", () => signal.removeEventListener("abort", onAbort))
    socket.setNoDelay(true)
    socket.setTimeout(timeout)
    socket.on("connect", onConnect).on("error", onError).on("close", onClose).on("timeout", onTimeout)
    socket.once(event, () => {
      cleanUp()
      resolve(socket)
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener("abort", onAbort)
  })
}

function isReset(error: Error): boolean {
  return codeOf(error) === "ECONNRESET"
}

/** A server that does not speak TLS ends the connection at the first bytes of it. */
function endedHandshake(cause?: Error): Error {
  return Object.assign(new Error("ended during the handshake", { cause }), { code: ENDED_HANDSHAKE })
}
