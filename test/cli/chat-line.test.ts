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
    ["/edit 0123456789abcdef  new\ntext", { kind: "edit", id: "0123456789abcdef", text: "new\ntext" }],
    ["/edit /etc", { kind: "edit", text: "/etc" }],

    ["/del", { kind: "delete" }],
    ["/del 3f", { kind: "delete", id: "3f" }],
    ["/react 👍", { kind: "react", emoji: "👍" }],
    ["/react 3f2 👍", { kind: "react", id: "3f2", emoji: "👍" }],
    ["/react --remove", { kind: "react", emoji: null }],
    ["/react 3f2a9c1e --remove", { kind: "react", id: "3f2a9c1e", emoji: null }],
  ] as const)("%j means %j", ([line, meaning]) => {
    expect(parseChatLine(line)).toEqual(meaning)
  })

  it.for([
    ["/reply", "/reply [ID] TEXT"],
    ["/reply 01234567", "/reply [ID] TEXT"],
    ["/reply -- ", "/reply [ID] TEXT"],
    ["/edit  ", "/edit [ID] TEXT"],
    ["/del 3f 4a", "/del [ID]"],
    ["/react", "/react [ID] EMOJI, or --remove in its place"],
    ["/react 01234567", "/react [ID] EMOJI, or --remove in its place"],
    ["/react 3f 👍 👍", "/react [ID] EMOJI, or --remove in its place"],
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
