import { randomBytes } from "node:crypto"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"

/**
 * Alice and Bob over libsignal-client, for comparison only. It is AGPL, so it is no dependency: `folder` is any folder where
 * `npm install @signalapp/libsignal-client` was run. Each call sends one message encrypted and decrypted.
 * Its stores keep bytes, as its own tests do and as any store that outlives the process must.
 */
export async function libsignalPair(folder) {
  const entry = createRequire(join(folder, "package.json")).resolve("@signalapp/libsignal-client")
  const signal = await import(pathToFileURL(entry).href)
  const [alice, bob] = [
    end(signal, "11111111-1111-4111-8111-111111111111"),
    end(signal, "22222222-2222-4222-8222-222222222222"),
  ]
  const bundle = await prekeysOf(signal, bob)
  await signal.processPreKeyBundle(bundle, bob.address, alice.address, alice.sessions, alice.identity)
  const senderOf = (from, to) => async (text) => {
    const message = await signal.signalEncrypt(text, to.address, from.address, from.sessions, from.identity)
    const bytes = message.serialize()
    const { sessions, identity, prekeys, signed, kyber } = to
    return message.type() === signal.CiphertextMessageType.PreKey
      ? signal.signalDecryptPreKey(
          signal.PreKeySignalMessage.deserialize(bytes),
          from.address,
          to.address,
          sessions,
          identity,
          prekeys,
          signed,
          kyber,
        )
      : signal.signalDecrypt(
          signal.SignalMessage.deserialize(bytes),
          from.address,
          to.address,
          sessions,
          identity,
        )
  }
  return { alice: senderOf(alice, bob), bob: senderOf(bob, alice) }
}

function end(signal, name) {
  const sessions = new Map()
  const keys = signal.IdentityKeyPair.generate()
  const { SessionStore, IdentityKeyStore, PreKeyStore, SignedPreKeyStore, KyberPreKeyStore } = signal
  const keyOf = (address) => `${address.name()}.${address.deviceId()}`
  class Sessions extends SessionStore {
    saveSession = async (address, record) => void sessions.set(keyOf(address), record.serialize())
    getSession = async (address) => {
      const bytes = sessions.get(keyOf(address))
      return bytes ? signal.SessionRecord.deserialize(bytes) : null
    }
  }
  class Identity extends IdentityKeyStore {
    getIdentityKey = async () => keys.privateKey
    getIdentityKeyPair = async () => keys
    getLocalRegistrationId = async () => 1
    saveIdentity = async () => 0
    isTrustedIdentity = async () => true
    getIdentity = async () => null
  }
  class PreKeys extends PreKeyStore {
    getPreKey = async () => this.record
    removePreKey = async () => undefined
  }
  class Signed extends SignedPreKeyStore {
    getSignedPreKey = async () => this.record
  }
  class Kyber extends KyberPreKeyStore {
    getKyberPreKey = async () => this.record
    markKyberPreKeyUsed = async () => undefined
  }
  return {
    keys,
    address: signal.ProtocolAddress.new(name, 1),
    sessions: new Sessions(),
    identity: new Identity(),
    prekeys: new PreKeys(),
    signed: new Signed(),
    kyber: new Kyber(),
  }
}

async function prekeysOf(signal, owner) {
  const { PrivateKey, KEMKeyPair, PreKeyRecord, SignedPreKeyRecord, KyberPreKeyRecord, PreKeyBundle } = signal
  const [one, signed, kyber] = [PrivateKey.generate(), PrivateKey.generate(), KEMKeyPair.generate()]
  const sign = (key) => owner.keys.privateKey.sign(key.serialize())
  const signature = sign(signed.getPublicKey())
  const kyberSignature = sign(kyber.getPublicKey())
  const now = Date.now()
  owner.prekeys.record = PreKeyRecord.new(1, one.getPublicKey(), one)
  owner.signed.record = SignedPreKeyRecord.new(1, now, signed.getPublicKey(), signed, signature)
  owner.kyber.record = KyberPreKeyRecord.new(1, now, kyber, kyberSignature)
  return PreKeyBundle.new(
    1,
    1,
    1,
    one.getPublicKey(),
    1,
    signed.getPublicKey(),
    signature,
    owner.keys.publicKey,
    1,
    kyber.getPublicKey(),
    kyberSignature,
  )
}

/** 256 bytes to send. */
export const TEXT = new Uint8Array(randomBytes(256))
