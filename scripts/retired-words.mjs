const words = (text) => text.trim().split(/\s+/)

/** Private words for which the field has a term. No name uses them, in any folder. */
export const RETIRED = words(`
  accepting acquaint acquaintance acquainted admission admissions admitting agreements aloud arrivals arrive
  asker backed barred befall belonging belongings beside booth bouncer burrow carriers circumstances
  comebacks conduct converse deadly deaf deafen desk dialled dialler dig disown duty enclose errand escort
  establishing everybody expel faithful fate fates fitting former goodbye granting greed happening
  happenings hear heard hearing hears heed heeded heir hopeless house household hurry insisted intake
  introducing journals knock laid lasting lay lean learnt leaving letter letters loads lookahead manner
  meddle meet meter mishap mishaps misheard moment mortal neighbour neighbourhood neighbours nobody office
  outlived owned papers parcel party passage patience patient places placing postal pump resending resident
  residents riding rush scene seat setback sheltered showing sight somebody spoken stage staged stay stays
  stepped stories storm story strange surroundings takeup talk talker talking teleprinter tell telling tells
  tenant tenants thief thin tidings told town turnstile unbind undone visit visitor warren weather
  whereabouts wish wished wishes withdraw withdrawal wording world
`)

/** Words that are right elsewhere, as `line` is for a line of text, but meant something else in this folder. */
export const RETIRED_IN = {
  "src/engine": words(
    "actor background book books desk door enter former home journal journals leaving letter letters line lines look moves news person place places posted said say showing stranger strangers talk turned world",
  ),
  "test/engine": words("actor person stranger strangers"),
  "src/cli": words("counter layout paper places say seat"),
  "src/broker": words("arrived caller hold holding household line lines link person said stranger wire"),
  "src/registrar": words("caller counter dial person place roll stranger wire"),
  "src/transport": words("asking caller line link said shown stranger wire"),
  "src/doctor": words("actor caller cast home line lines link place scene shown span stage"),
  "src/daemon": words("beside caller callers home place stranger"),
  "src/wire": words("line place"),
  "src/session": words("always arrived line moves phase place"),
  "src/keystore": words("disk place"),
  "src/store": words("journal moves opening place"),
  "src/backup": words("door foreign place"),
  "src/pairing": words("clock told world"),
  "src/fs": words("turn will"),
}
