import * as v from "valibot"
import { expect, onTestFinished, test } from "vitest"

import {
  ADMIN_COMMANDS,
  type AdminClient,
  type AdminCommand,
  type AdminParams,
  type AdminResults,
} from "../../src/registrar/admin/commands.ts"
import { openAdminHandlers } from "../../src/registrar/admin/handlers.ts"
import { Fault } from "../../src/errors.ts"
import { enroll } from "../../src/transport/enroll.ts"
import { newApplicant, newRegistrarFixture, type RegistrarFixture } from "./registrar-fixture.ts"

const REPORT = { pid: 1, startedAt: 0, memoryBytes: 0, authorityExpiresAt: 0 }

/** Asks, and checks the answer by the table. */
type Ask = <C extends AdminCommand>(command: C, params: AdminParams<C>) => Promise<AdminResults[C]>

function checked(client: AdminClient): Ask {
  return async (command, params) => {
    expect(v.is(ADMIN_COMMANDS[command].params, params)).toBe(true)
    const result = await client.call(command, params)
    expect(v.parse(ADMIN_COMMANDS[command].result, result)).toEqual(result)
    return result
  }
}

async function setUp(): Promise<{ fixture: RegistrarFixture; ask: Ask }> {
  const fixture = await newRegistrarFixture()
  onTestFinished(fixture.end)
  const report = () => ({ ...fixture.broker.stats(), ...REPORT })
  return { fixture, ask: checked(openAdminHandlers({ ...fixture.registrar, report })) }
}

async function register(fixture: RegistrarFixture, user: string): Promise<void> {
  await enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation: await fixture.invite(user),
    deviceName: `${user}'s laptop`,
  })
}

test("what the registrar answers its operator is what the table says", async () => {
  const { fixture, ask } = await setUp()
  await register(fixture, "alice")
  await ask("invite", { user: "bob", again: false })
  await ask("rename", { user: "alice", name: "alicia" })
  const [user] = await ask("users", {})
  expect(user).toMatchObject({ name: "alicia", devices: 1, invitedBy: null, revokedAt: null })
  const [device] = await ask("devices", {})
  expect(device).toMatchObject({
    user: "alicia",
    userId: user?.id,
    deviceName: "alice's laptop",
    current: true,
  })
  expect((await ask("invites", {})).map((invite) => [invite.user, invite.state])).toEqual([
    ["alicia", "used"],
    ["bob", "open"],
  ])
  expect(await ask("status", {})).toMatchObject({ deviceExpiresAt: device?.expiresAt })
  expect(await ask("inviters", {})).toEqual({ members: true })
  expect(await ask("inviters", { members: false })).toEqual({ members: false })
  const prefix = device?.device.slice(0, 6) ?? ""
  expect(await ask("revoke", { user: "alicia", device: prefix })).toEqual({
    devices: [device?.device],
    reason: null,
  })
})

test("users whose names look alike are numbered, whoever chose the name", async () => {
  const { fixture, ask } = await setUp()
  await register(fixture, "bob")
  expect(await ask("invite", { user: "b\u043eb", again: false })).toMatchObject({ user: "b\u043eb-2" })
  await ask("invite", { user: "carol", again: false })
  expect(await ask("rename", { user: "carol", name: "bob\u3164" })).toEqual({ name: "bob\u3164-3" })
  await ask("rename", { user: "bob", name: "Bob" })
  await expect(ask("invite", { user: "Bob", again: false })).rejects.toMatchObject({ code: "exists" })
  for (const user of ["me", "info", "-x", "x:", "7", "bob/abcd"])
    await expect(ask("invite", { user, again: false }), user).rejects.toMatchObject({ code: "usage" })
  await ask("revoke", { user: "Bob" })
  expect(await ask("invite", { user: "bob", again: false })).toMatchObject({ user: "bob" })
})

test("an operator is told why the broker has not applied a revocation yet", async () => {
  const { fixture } = await setUp()
  await register(fixture, "alice")
  const fault = new Fault("unavailable", "no broker is running here")
  const ask = checked(openAdminHandlers({ ...fixture.registrar, enforce: () => Promise.reject(fault) }))
  expect(await ask("revoke", { user: "alice" })).toMatchObject({ reason: "no broker is running here" })
  await expect(ask("status", {})).rejects.toMatchObject({ code: "unavailable" })
})

test("parameters that do not fit are refused by the table", () => {
  const { invite, revoke, rename } = ADMIN_COMMANDS
  expect(v.is(invite.params, { user: "" })).toBe(false)
  expect(v.is(invite.params, { user: "alice", by: "bob" })).toBe(false)
  expect(v.is(revoke.params, { user: "alice", device: null })).toBe(false)
  expect(v.is(rename.params, { user: "alice" })).toBe(false)
})
