import {
  blockContact,
  forgetContact,
  listContacts,
  renameContact,
  unblockContact,
  verifyContact,
} from "./contacts.ts"
import type { ChatClient } from "../../engine/api.ts"
import { display } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { hasProfile } from "../profile/profile-exists.ts"
import { openClient } from "../profile/open-client.ts"
import { normalizedName } from "../terminal/names.ts"
import { warnInsecure } from "../profile/insecure-transport.ts"
import { answerPairing, checkCarrier, offerPairing, type PairOptions, readCarrier } from "./pair.ts"
import { cancelOffer, listOffers } from "./offers.ts"
import type { ClientContext } from "../messages/messages.ts"

export type PairOrJoinOptions = PairOptions & { readonly myName?: string; readonly passphrase: boolean }

/** Offers a pairing, or answers one; makes a profile first if there is none to answer with. */
export async function pairOrJoin(
  context: Context,
  typed: string | undefined,
  options: PairOrJoinOptions,
): Promise<void> {
  // What does not fit is refused before anyone pairs.
  if (options.name !== undefined) normalizedName(options.name)
  const carrier = typed === undefined ? undefined : await readCarrier(typed)
  const { insecureTransport: insecure = false, timeout } = options
  const transport = { insecure, ...(timeout !== undefined && { timeoutMs: timeout }) }
  if (transport.insecure) warnInsecure(context)
  if (carrier !== undefined && !hasProfile(context)) {
    const { myName, passphrase } = options
    checkCarrier(carrier, transport)
    await (
      await import("../profile/init.ts")
    ).initForPairing(context, { ...(myName === undefined ? {} : { name: myName }), passphrase })
  }
  const { client } = await openClient(context, "shared")
  if (carrier === undefined) await offerPairing(context, client, options)
  else {
    printNotices(context, client)
    await answerPairing(context, client, { carrier, name: options.name, transport })
  }
}

/** What is not about a conversation, such as another address of the broker. */
function printNotices({ out, lifetime }: Context, client: ChatClient): void {
  const stop = client.listen((event) => {
    if (event.kind === "notice" && event.contact === null) out.info(display(event.text))
  })
  lifetime.defer(stop)
}

/** Shows the offers of this profile, or ends one. */
export async function manageOffers(context: Context, id: string | undefined): Promise<void> {
  const { client } = await openClient(context, "brief")
  if (id === undefined) await listOffers(context, client)
  else await cancelOffer(context, client, id)
}

/** Offers a code that registers another laptop of the same person as a device of the same user. */
export async function addDevice(context: Context, { words }: Pick<PairOptions, "words">): Promise<void> {
  const { client } = await openClient(context, "shared")
  await offerPairing(context, client, { words, qr: false, device: true })
}

export async function verify(
  context: Context,
  request: { contact: string; confirmed: boolean },
): Promise<void> {
  await verifyContact(context, await clientContext(context), request)
}

export async function contacts(context: Context): Promise<void> {
  await listContacts(await clientContext(context))
}

export async function rename(context: Context, contact: string, to: string): Promise<void> {
  await renameContact(await clientContext(context), contact, to)
}

export async function block(context: Context, contact: string): Promise<void> {
  await blockContact(await clientContext(context), contact)
}

export async function unblock(context: Context, contact: string, withMessages: boolean): Promise<void> {
  await unblockContact(await clientContext(context), contact, withMessages)
}

export async function forget(
  context: Context,
  request: { contact: string; confirmed: boolean },
): Promise<void> {
  await forgetContact(context, await clientContext(context), request)
}

async function clientContext(context: Context): Promise<ClientContext> {
  const { client } = await openClient(context, "brief")
  return { client, out: context.out }
}
