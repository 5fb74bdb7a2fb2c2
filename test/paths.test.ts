import { mkdirSync, mkdtempSync, statSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { expect, test } from "vitest"
import { Fault } from "../src/errors.ts"
import { profilePaths } from "../src/paths.ts"
import { isPrivateFolder, makePrivateFolder } from "../src/fs/private-folder.ts"

test("with MQTTCHAT_HOME all files of a profile are below one folder", () => {
  const paths = profilePaths({ MQTTCHAT_HOME: "/srv/chat", HOME: "/home/al" }, "al")
  for (const path of Object.values(paths)) expect(path.startsWith("/srv/chat/al")).toBe(true)
  expect(new Set(Object.values(paths)).size).toBe(Object.values(paths).length)
})

test("otherwise each kind of file is in the system's folder for it", () => {
  const paths = profilePaths({ HOME: "/home/al" }, "work-2")
  expect(paths.settings).toBe("/home/al/.config/mqttchat/work-2/settings.json")
  expect(dirname(paths.database)).toBe("/home/al/.local/share/mqttchat/work-2")
  expect(paths.socket).toBe("/home/al/.local/share/mqttchat/work-2/owner.sock")
  const moved = profilePaths({ HOME: "/home/al", XDG_DATA_HOME: "/d", XDG_CONFIG_HOME: "/c" }, "al")
  expect([moved.root, moved.settings, moved.socket]).toEqual([
    "/d/mqttchat/al",
    "/c/mqttchat/al/settings.json",
    "/d/mqttchat/al/owner.sock",
  ])
})

test("a user without a login session finds the same sockets as one with a session", () => {
  const long = `/${"x".repeat(95)}`
  const session = { XDG_RUNTIME_DIR: "/run/user/1000", TMPDIR: "/var/tmp/of-the-session" }
  for (const home of ["/home/al", long]) {
    expect(profilePaths({ HOME: home, ...session }, "al")).toEqual(profilePaths({ HOME: home }, "al"))
  }
})

test("a relative folder in the environment is ignored, as XDG says", () => {
  const paths = profilePaths({ HOME: "/home/al", MQTTCHAT_HOME: "chat", XDG_DATA_HOME: "data" }, "al")
  expect(paths.root).toBe("/home/al/.local/share/mqttchat/al")
})

test("a socket path that is too long to bind becomes a short, unique one", () => {
  const long = `/${"x".repeat(95)}`
  const short = (home: string, profile: string): string =>
    profilePaths({ MQTTCHAT_HOME: home }, profile).socket
  const sockets = [short(long, "al"), short(long, "bo"), short(`${long}y`, "al")]
  for (const socket of sockets) expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(100)
  expect(new Set(sockets).size).toBe(3)
  expect(short(long, "al")).toBe(sockets[0])
  const fits = `/${"x".repeat(85)}`
  expect(short(fits, "a")).toBe(`${fits}/a/owner.sock`)
})

test.each(["", "-al", "Al", "../al", "a/b", "a.b", "ä", "a".repeat(33)])(
  "%j is not a profile name",
  (name) => {
    expect(() => profilePaths({}, name)).toThrow(Fault)
  },
)

test.each(["a", "0", "al-2", "a".repeat(32)])("%j is a profile name", (name) => {
  expect(profilePaths({ MQTTCHAT_HOME: "/h" }, name).root).toBe(`/h/${name}`)
})

test("a private folder is made for its owner only; one that others may enter, or a link, is refused", () => {
  const base = mkdtempSync(join(tmpdir(), "mqttchat-folder-"))
  const made = join(base, "a", "b")
  makePrivateFolder(made)
  makePrivateFolder(made)
  expect(statSync(made).mode & 0o777).toBe(0o700)
  expect(statSync(dirname(made)).mode & 0o777).toBe(0o700)
  const open = join(base, "open")
  mkdirSync(open, { mode: 0o755 })
  expect(isPrivateFolder(open)).toBe(false)
  expect(() => makePrivateFolder(open)).toThrow(Fault)
  symlinkSync(made, join(base, "link"))
  expect(isPrivateFolder(join(base, "link"))).toBe(false)
  expect(isPrivateFolder(join(base, "nowhere"))).toBe(false)
})
