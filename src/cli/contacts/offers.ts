import type { ChatClient, Results } from "../../engine/api.ts"
import { display, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"

type OpenOffer = Results["offers"][number]

/** Every offer that can still be answered. */
export async function listOffers({ out }: Context, client: ChatClient): Promise<void> {
  const offers = await client.call("offers", {})
  for (const offer of offers) {
    if (out.json) out.record("mqttchat/open-offer/1", offer)
    else out.data(row(offer))
  }
  if (offers.length === 0) out.next(safe`no offer is open: mqttchat pair`)
}

/** Ends an offer. An invitation that went out with it is another matter: the broker has it. */
export async function cancelOffer({ out }: Context, client: ChatClient, id: string): Promise<void> {
  await client.call("pair-cancel", { id })
  out.done(safe`offer ${display(id)} has ended: no one can answer it any more`)
}

/** How long an offer is still good, as people say it. */
export function lifeOf(expiresAt: number): SafeText {
  const minutes = Math.max(0, Math.round((expiresAt - Date.now()) / 60_000))
  return minutes > 60 ? safe`${Math.round(minutes / 60)} hours` : safe`${minutes} minutes`
}

function row({ id, kind, answered, expiresAt }: OpenOffer): SafeText {
  const state = answered ? safe`answered, not finished` : safe`waiting`
  return safe`${display(id)}  ${display(kind.padEnd(4))}  ${lifeOf(expiresAt)} left, ${state}`
}
