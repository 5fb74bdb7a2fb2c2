import { Fault } from "../../errors.ts"
import type { BrokerHints, ConnectTarget, Credential } from "../../transport/transport.ts"
import type { BrokerConfig, ProfileConfig } from "../state/ports.ts"
import { routesFor } from "./broker-addresses.ts"

/** What this process has learned about its broker. Each hint saves a connection or two. */
export class LearnedHints {
  readonly #config: ProfileConfig
  #hints: BrokerHints | undefined
  #saving: Promise<void> = Promise.resolve()

  constructor(config: ProfileConfig) {
    this.#config = config
  }

  target(broker: BrokerConfig, credential: Credential): ConnectTarget {
    const { trust } = broker
    const { mqttVersion, anchor } = this.#hints ?? hintsOf(broker)
    return {
      ...routesFor(broker, credential),
      trust: trust.kind === "pin" && anchor !== undefined ? { ...trust, anchor } : trust,
      credential,
      ...(mqttVersion === undefined ? {} : { mqttVersion }),
    }
  }

  learn({ mqttVersion, anchor, maximumPacketSize }: BrokerHints): void {
    const known = this.#known()
    const isAsBefore = known?.mqttVersion === mqttVersion && known.anchor === anchor
    if (isAsBefore && known.maximumPacketSize === maximumPacketSize) return
    this.#hints = {
      mqttVersion,
      ...(anchor === undefined ? {} : { anchor }),
      ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
    }
    this.#saving = this.#config.saveHints(this.#hints).catch((fault: unknown) => {
      // Without them the next start makes one more connection.
      if (!(fault instanceof Fault)) throw fault
    })
  }

  /** The largest packet that the broker takes, as it said last. */
  maximumPacketSize(): number | undefined {
    return this.#known()?.maximumPacketSize
  }

  #known(): Partial<BrokerHints> | undefined {
    const broker = this.#config.broker()
    return this.#hints ?? (broker && hintsOf(broker))
  }

  /** Resolves when what was learned is on disk. */
  async saved(): Promise<void> {
    await this.#saving
  }
}

function hintsOf({ trust, mqttVersion, maximumPacketSize }: BrokerConfig): Partial<BrokerHints> {
  const anchor = trust.kind === "pin" ? trust.anchor : undefined
  return {
    ...(mqttVersion === undefined ? {} : { mqttVersion }),
    ...(anchor === undefined ? {} : { anchor }),
    ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
  }
}
