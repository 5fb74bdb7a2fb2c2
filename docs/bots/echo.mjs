// Says back what it is told, also what was unread before: node echo.mjs SOCKET
import { connect } from "node:net"
import { createInterface } from "node:readline"
const [socket, echoed] = [connect(process.argv[2]), new Set()]
const write = (request) => socket.write(`${JSON.stringify(request)}\n`)
const ask = (id, method, params = {}) => write({ jsonrpc: "2.0", id, method, params })
const echo = ({ id, contactId: contact, mine, kind, text, seq }) => {
  if (mine || echoed.size === echoed.add(id).size) return
  if (kind === "text") ask(id, "send", { contact, text })
  ask(id, "mark-read", { contact, after: seq - 1, upTo: seq })
}
ask("last", "events") // what comes after it is read as events: a chat may mark it as read
ask("unread", "inbox")
for await (const line of createInterface({ input: socket })) {
  const { id, params, result, error } = JSON.parse(line)
  if (error) console.error(error.message)
  else if (id === "last") ask("events", "listen", { since: result.number })
  const live = params?.kind === "message" ? [params.message] : []
  for (const message of id === "unread" ? (result ?? []) : live) echo(message)
}
