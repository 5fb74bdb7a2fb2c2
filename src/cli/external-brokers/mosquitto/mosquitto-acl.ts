import { accessGrants, REGISTRAR_ID, scopeFilter, type ClientKind } from "../../../wire/access-rules.ts"

/** Mosquitto's placeholder for the client in a `pattern`: the common name of its certificate. */
const OWN = "%u"

/** The access list of the devices' listener. */
export const DEVICES_ACL = [
  `# ${OWN} is the common name of the device's certificate.`,
  ...accessLines("device", "pattern"),
  "",
  `user ${REGISTRAR_ID}`,
  ...accessLines("registrar", "topic"),
  "",
].join("\n")

/** The access list of the guests' listener. */
export const GUESTS_ACL = [
  "# Anonymous clients of the guest listener.",
  ...accessLines("guest", "topic"),
  "",
].join("\n")

function accessLines(kind: ClientKind, keyword: "pattern" | "topic"): readonly string[] {
  return accessGrants(kind).flatMap(({ topic, publish, subscribe }) => {
    const write = publish && scopeFilter(topic, publish, OWN)
    const read = subscribe && scopeFilter(topic, subscribe, OWN)
    if (write !== undefined && write === read) return [`${keyword} readwrite ${write}`]
    return [
      ...(write === undefined ? [] : [`${keyword} write ${write}`]),
      ...(read === undefined ? [] : [`${keyword} read ${read}`]),
    ]
  })
}
