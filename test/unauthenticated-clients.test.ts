import { expect, test } from "vitest"
import { UnauthenticatedClients } from "../src/unauthenticated-clients.ts"

test("one too many ends the oldest of the largest group, and nothing else", () => {
  const clients = new UnauthenticatedClients(4)
  const ended: string[] = []
  const add = (group: string, name: string): (() => void) => clients.add(group, () => ended.push(name))
  add("carol", "carol 1")
  for (const n of [1, 2, 3, 4]) add("mallory", `mallory ${String(n)}`)
  expect(ended).toEqual(["mallory 1"])
  add("mallory", "mallory 5")
  add("bob", "bob 1")
  expect(ended).toEqual(["mallory 1", "mallory 2", "mallory 3"])
})

test("a client that has shown who it is, or has gone, takes no place and is not ended", () => {
  const clients = new UnauthenticatedClients(2)
  const ended: string[] = []
  const known = clients.add("a", () => ended.push("known"))
  clients.add("a", () => ended.push("second"))
  known()
  known()
  clients.add("a", () => ended.push("third"))
  expect(ended).toEqual([])
  clients.add("a", () => ended.push("fourth"))
  expect(ended).toEqual(["second"])
  clients.endOldest("nobody is here")
  clients.endOldest("a")
  expect(ended).toEqual(["second", "third"])
})
