import type { TLSSocket } from "node:tls"
import { isId } from "../../wire/topics.ts"
import { type Principal, NO_CLAIMS } from "../acl.ts"

/** Who opened a connection, or why it is refused. */
export type Authentication = Principal | { readonly kind: "refused"; readonly why: string }

/**
 * Reads the client certificate. None is a guest; one that does not verify, has run out since the TLS session
 * began (a resumed session is not verified again), or names neither a device nor the registrar is refused.
 */
export function authenticate(socket: TLSSocket, registrarId: string, now: number): Authentication {
  const { subject, valid_to } = socket.getPeerCertificate()
  // Node hands out an empty object where there is no certificate.
  if (!isPresent(subject)) return { kind: "guest", claims: NO_CLAIMS }
  if (!socket.authorized) return { kind: "refused", why: "the certificate does not verify" }
  if (Date.parse(valid_to) < now) return { kind: "refused", why: "the certificate has expired" }
  const name: unknown = subject.CN
  if (name === registrarId) return { kind: "registrar" }
  if (typeof name === "string" && isId(name)) return { kind: "device", id: name }
  return { kind: "refused", why: "the certificate names no device" }
}

function isPresent(subject: unknown): boolean {
  return typeof subject === "object" && subject !== null
}
