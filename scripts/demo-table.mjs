/** Three columns and the gaps between them fill a terminal of 80. */
const COLUMNS = [22, 32, 22]
const GAP = "  "
/** The mark before a frame: on its way with the message, or back with the receipt. */
const ARROW = { there: "→ ", back: "← " }
const INDENT = "  "

/** @typedef {{ topic: string, from: string, bytes: number, base64: string }} Frame as `broker --watch --json` prints it */
/** @typedef {{ from: string, to: string, typed: string, read: string, frames: Frame[] }} Told one message, on all three sides */

/** Blocks of what was typed, what the broker saw of it and what was read, at most 80 columns wide. */
export function table(conversation) {
  const rule = COLUMNS.map((width) => "─".repeat(width))
  const blocks = conversation.map(({ from, to, typed, read, frames }) => {
    const seen = frames.flatMap((frame) => frameLines(frame, frames[0]))
    const cells = [wrapped(typed, COLUMNS[0]), seen, wrapped(read, COLUMNS[2])]
    return [row([`${from} typed`, "the broker saw", `${to} read`]), row(rule), ...rows(cells), ""]
  })
  return blocks.flat().join("\n")
}

/** Topic, length and the beginning of one frame; the sender of the first one sent the message. */
function frameLines({ topic, from, bytes, base64 }, first) {
  const device = topic.slice(0, topic.lastIndexOf("/") + 1)
  const size = `${bytes} bytes `
  const room = COLUMNS[1] - INDENT.length - size.length - 1
  return [
    `${from === first.from ? ARROW.there : ARROW.back}${device}`,
    `${INDENT}${topic.slice(device.length)}`,
    `${INDENT}${size}${base64.slice(0, room)}…`,
  ]
}

function rows(cells) {
  const height = Math.max(...cells.map((lines) => lines.length))
  return Array.from({ length: height }, (_, at) => row(cells.map((lines) => lines[at] ?? "")))
}

function row(cells) {
  return cells
    .map((cell, at) => cell.padEnd(COLUMNS[at]))
    .join(GAP)
    .trimEnd()
}

/** Broken between words. */
function wrapped(text, width) {
  const lines = [""]
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trimStart()
    if (longer.length <= width) lines.splice(-1, 1, longer)
    else lines.push(word)
  }
  return lines
}
