import {
  blockContact,
  forgetContact,
  listContacts,
  renameContact,
  unblockContact,
  verifyContact,
} from "./contacts.ts"
import type { Context } from "../context.ts"
import { initOnTheWay } from "../profile/init.ts"
import { hasProfile } from "../profile/profile.ts"
import { openClient } from "../open.ts"
import { answerPairing, offerPairing, type PairOptions, readCarrier } from "./pair.ts"
import type { Talk } from "../talk/talk.ts"

export type MeetOptions = PairOptions & { readonly myName?: string; readonly passphrase: boolean }

/** Offers a pairing, or answers one; who answers without an identity gets it on the way. */
export async function meet(context: Context, typed: string | undefined, options: MeetOptions): Promise<void> {
  const carrier = typed === undefined ? undefined : await readCarrier(typed)
  if (carrier !== undefined && !hasProfile(context)) {
    const { myName, passphrase } = options
    await initOnTheWay(context, { ...(myName === undefined ? {} : { name: myName }), passphrase })
  }
  const { client } = await openClient(context, "shared")
  if (carrier === undefined) await offerPairing(context, client, options)
  else await answerPairing(context, client, { carrier, name: options.name })
}

/** Offers to make another laptop of the same person a device of the same user. */
export async function addDevice(context: Context, { words }: Pick<PairOptions, "words">): Promise<void> {
  const { client } = await openClient(context, "shared")
  await offerPairing(context, client, { words, qr: false, device: true })
}

export async function verify(context: Context, wish: { contact: string; sure: boolean }): Promise<void> {
  await verifyContact(context, await opened(context), wish)
}

export async function contacts(context: Context): Promise<void> {
  await listContacts(await opened(context))
}

export async function rename(context: Context, contact: string, to: string): Promise<void> {
  await renameContact(await opened(context), contact, to)
}

export async function block(context: Context, contact: string): Promise<void> {
  await blockContact(await opened(context), contact)
}

export async function unblock(context: Context, contact: string): Promise<void> {
  await unblockContact(await opened(context), contact)
}

export async function forget(context: Context, wish: { contact: string; sure: boolean }): Promise<void> {
  await forgetContact(context, await opened(context), wish)
}

async function opened(context: Context): Promise<Talk> {
  const { client } = await openClient(context, "brief")
  return { client, out: context.out }
}
