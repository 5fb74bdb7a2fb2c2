// Says back what it is told, also what came while it was away: node echo.mjs SOCKET
import { connect } from "node:net"
import { createInterface } from "node:readline"

const socket = connect(process.argv[2])
let id = 0
const ask = (method, params = {}) =>
  socket.write(`${JSON.stringify({ jsonrpc: "2.0", id: id++, method, params })}\n`)

ask("listen")
ask("inbox", { markRead: true })
for await (const line of createInterface({ input: socket })) {
  const { params, result, error } = JSON.parse(line)
  if (error) console.error(error.message)
  if (params?.kind === "message" && !params.message.mine) ask("inbox", { markRead: true })
  for (const { contactId, kind, text } of Array.isArray(result) ? result : [])
    if (kind === "text") ask("send", { contact: contactId, text })
}
