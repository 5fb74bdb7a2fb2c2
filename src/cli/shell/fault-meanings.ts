import type { FaultCode } from "../../errors.ts"

/** What an exit code, or the code of a fault in the API, means to a person. */
export const MEANING: Readonly<Record<FaultCode, string>> = {
  weak: "everything works; something protects less than it should",
  usage: "the command line is wrong",
  "bad-data": "the input cannot be used",
  "damaged-key-file": "the key file is damaged",
  "damaged-database": "the database is damaged",
  "not-found": "there is no such contact, message or file",
  unavailable: "the broker or the other side does not answer",
  "other-version": "the running process is of another version, and was asked nothing",
  unanswered: "a request was not answered: it is not known whether it was done",
  bug: "a bug",
  exists: "it exists already and is never overwritten",
  "disk-full": "the disk is full",
  io: "the disk cannot be used",
  queued: "stored, and goes out later",
  offline: "the broker cannot be reached now; that is tried again",
  protocol: "the other side does not follow the protocol",
  refused: "refused: a wrong passphrase, or someone is not who they should be",
  locked: "the keys are locked",
  replaced: "another device of the same person has replaced this one",
  "no-profile": "there is no profile yet",
  config: "settings or file permissions have to be fixed",
}
