import type { Failure } from "./failures.ts"
import type { BrokerAddress } from "./transport.ts"

type Addressed = { readonly address: BrokerAddress }

/** Names that machines announce by themselves on their network (RFC 6762). */
export function isAnnounced(host: string): boolean {
  return host.endsWith(".local")
}

/**
 * The nodes of a broker in the order of one round. After the node `last`, whose connection has ended, come the others,
 * and then itself. A name that the broker's machine announces by itself, given in addition to its address, is for the
 * day on which the address no longer leads there: it comes after all addresses, unless it was the one that worked.
 */
export function inOrder<N extends Addressed>(nodes: readonly N[], last: N | undefined): readonly N[] {
  const [primary] = nodes
  if (last !== undefined && isSpare(last, primary)) return [last, ...inOrder(without(nodes, last), undefined)]
  const at = last === undefined ? 0 : nodes.indexOf(last) + 1
  const turned = [...nodes.slice(at), ...nodes.slice(0, at)]
  return [
    ...turned.filter((node) => !isSpare(node, primary)),
    ...turned.filter((node) => isSpare(node, primary)),
  ]
}

/** How a node failed. */
export type NodeFailure<N extends Addressed> = Failure & { readonly node: N }

/**
 * What a round without a connection means. It is over for good only if each node refuses us for good. A spare name
 * that leads nowhere says nothing about that, and is not named if there is something else to say.
 */
export function roundFailure<N extends Addressed>(
  nodes: readonly N[],
  failures: readonly [NodeFailure<N>, ...NodeFailure<N>[]],
): Failure {
  const [primary] = nodes
  const conclusive = failures.filter(({ node, permanent }) => permanent || !isSpare(node, primary))
  const { fault } = conclusive[0] ?? failures[0]
  const permanent = conclusive.length > 0 && conclusive.every((failure) => failure.permanent)
  return { fault, permanent, cut: failures.some((failure) => failure.cut === true) }
}

function isSpare({ address }: Addressed, primary: Addressed | undefined): boolean {
  return primary?.address !== address && isAnnounced(address.host)
}

function without<N>(nodes: readonly N[], one: N): readonly N[] {
  return nodes.filter((node) => node !== one)
}
