import fc from "fast-check"
import { describe, expect, it, test } from "vitest"
import { parseChatLine } from "../../src/cli/messages/chat-line.ts"

describe("a typed line", () => {
  it.for([
    ["", { kind: "nothing" }],
    ["  \t", { kind: "nothing" }],
    ["hi", { kind: "text", text: "hi" }],
    ["//reply is a command", { kind: "text", text: "/reply is a command" }],
    ["/quit ", { kind: "quit" }],
    ["/ids", { kind: "ids" }],
    ["/quit now", { kind: "unknown", text: "/quit now" }],
    ["/frobnicate", { kind: "unknown", text: "/frobnicate" }],
    ["/replying", { kind: "unknown", text: "/replying" }],
    ["/", { kind: "unknown", text: "/" }],
    ["/etc/hosts", { kind: "unknown", text: "/etc/hosts" }],

    ["/reply yes, at noon", { kind: "reply", text: "yes, at noon" }],
    ["/reply one\n  two", { kind: "reply", text: "one\n  two" }],
    ["/reply\none", { kind: "reply", text: "one" }],
    ["/reply 01abCDef yes", { kind: "reply", id: "01abCDef", text: "yes" }],
    ["/reply dead end", { kind: "reply", text: "dead end" }],
    ["/reply -- 20261130 is the day", { kind: "reply", text: "20261130 is the day" }],
  ] as const)("%j means %j", ([line, meaning]) => {
    expect(parseChatLine(line)).toEqual(meaning)
  })

  it.for([
    ["/reply", "/reply [ID] TEXT"],
    ["/reply 01234567", "/reply [ID] TEXT"],
    ["/reply -- ", "/reply [ID] TEXT"],
  ])("%j lacks something or has too much", ([line = "", usage]) => {
    expect(parseChatLine(line)).toEqual({ kind: "incomplete", usage })
  })
})

test("no line that begins with one slash is sent as it is, and every text can be sent", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parseChatLine(`/${text.replace(/^\/+/, "")}`).kind).not.toBe("text")
      const typed = text.startsWith("/") ? `/${text}` : text
      if (text.trim() !== "") expect(parseChatLine(typed)).toEqual({ kind: "text", text })
    }),
  )
})
