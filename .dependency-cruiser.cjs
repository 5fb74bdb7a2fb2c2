/** The architecture as a table: which room may import which. A room not named may be imported by nobody. */
const rooms = {
  async: [],
  debug: [],
  fs: [],
  crypto: [],
  wire: ["crypto"],
  account: ["crypto", "wire"],
  pairing: ["crypto", "wire"],
  session: ["crypto", "wire"],
  group: ["crypto", "wire", "session"],
  keystore: ["crypto", "wire", "fs"],
  content: [],
  store: ["crypto", "fs", "content"],
  backup: ["crypto", "wire", "account", "keystore", "content", "store"],
  transport: ["crypto", "wire", "async"],
  engine: [
    "crypto",
    "wire",
    "account",
    "pairing",
    "session",
    "keystore",
    "content",
    "store",
    "backup",
    "async",
    "fs",
    "debug",
  ],
  daemon: ["fs", "async", "debug"],
  broker: ["crypto", "wire", "fs", "debug"],
  registrar: ["crypto", "wire", "fs", "async", "debug"],
  doctor: ["crypto", "wire", "transport"],
}

/** Files of another room that a room may also import. */
const besides = {
  engine: ["transport/transport", "token-bucket"],
  broker: ["token-bucket", "unauthenticated-clients"],
  daemon: ["engine/api", "unauthenticated-clients"],
  registrar: ["transport/transport"],
}

/**
 * The rows inside a room, the top first: files and folders, which import only what stands in a lower row. A folder may
 * import itself; two entries of one row do not know each other.
 */
const rows = {
  engine: [
    ["engine"],
    ["wiring", "api"],
    ["effects"],
    ["commands"],
    ["backup"],
    ["pairing"],
    ["messages"],
    ["handshake"],
    ["connection"],
    ["accounts"],
    ["contacts"],
    ["state"],
  ],
  broker: [
    ["metrics", "renewal"],
    ["broker"],
    ["connection", "queues"],
    ["limits"],
    ["acl", "certificates", "aedes-internals", "traffic-counter", "heap-flags"],
  ],
  doctor: [["run-checks"], ["checks"], ["probe"]],
  cli: [
    ["program"],
    ["commands"],
    ["run-action", "external-brokers/external-registrar", "contacts", "daemon"],
    ["external-brokers/mosquitto", "external-brokers/rabbitmq", "messages"],
    ["broker"],
    ["profile", "shell"],
    ["debug"],
    ["terminal"],
  ],
}

/** Each outside library has one door. */
const doors = {
  tweetnacl: "^src/crypto/",
  "sodium-native": "^src/crypto/",
  mlkem: "^src/crypto/",
  "hash-wasm": "^src/crypto/",
  mqtt: "^src/(transport|cli)/",
  aedes: "^src/broker/",
  ws: "^src/broker/",
  selfsigned: "^src/broker/",
  "@peculiar/x509": "^src/registrar/",
  "@journeyapps/wa-sqlite": "^src/store/",
  "@scure/bip39": "^src/pairing/",
  conf: "^src/settings",
  commander: "^src/cli/",
  inquirer: "^src/cli/",
  uqr: "^src/cli/",
}

const PURE =
  "^src/(wire|account|pairing|session|group|content|backup)/|^src/engine/(api|messages/(apply-frame|enqueue)|state/(commands|events|outgoing|shapes|update)|connection/(broker-state|broker-step|.*-steps))|^src/broker/acl|^src/token-bucket"

const roomRules = Object.entries(rooms).map(([room, may]) => ({
  name: `${room}-imports-only-${may.join("-") || "nothing"}`,
  severity: "error",
  from: { path: `^src/${room}/` },
  to: {
    path: "^src/",
    pathNot: [
      `^src/(errors|shell-command|time-units|version|${[room, ...may].join("|")})(/|\\.ts$)`,
      ...(besides[room] ?? []).map((file) => `^src/${file}\\.ts$`),
    ],
  },
}))

const entryOf = (room, entries) => `^src/${room}/(${entries.join("|")})(/|\\.ts$)`

const rowRules = Object.entries(rows).flatMap(([room, rowsOfRoom]) => [
  {
    name: `${room}-has-a-row-for-every-file`,
    severity: "error",
    from: { path: `^src/${room}/`, pathNot: entryOf(room, rowsOfRoom.flat()) },
    to: {},
  },
  ...rowsOfRoom.flatMap((row, number) =>
    row.map((entry) => ({
      name: `${room}-${entry}-imports-only-lower-rows`,
      severity: "error",
      from: { path: entryOf(room, [entry]) },
      to: {
        path: `^src/${room}/`,
        pathNot: entryOf(room, [entry, ...rowsOfRoom.slice(number + 1).flat()]),
      },
    })),
  ),
])

const doorRules = Object.entries(doors).map(([library, door]) => ({
  name: `${library.replace(/[@/]/g, "")}-has-one-door`,
  severity: "error",
  from: { path: "^src/", pathNot: door },
  to: { path: `^node_modules/${library}/` },
}))

module.exports = {
  forbidden: [
    ...roomRules,
    ...rowRules,
    ...doorRules,
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-orphans", severity: "error", from: { orphan: true, pathNot: "\\.d\\.ts$" }, to: {} },
    {
      name: "pure-rooms-touch-no-world",
      severity: "error",
      from: { path: PURE },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?util$" },
    },
    {
      name: "the-reference-reader-knows-nothing-of-src",
      severity: "error",
      from: { path: "^test/reference/" },
      to: { path: "^(src|test|scripts)/", pathNot: "^test/(reference|vectors)/" },
    },
    {
      name: "the-reference-reader-has-libraries-of-its-own",
      severity: "error",
      from: { path: "^test/reference/" },
      to: {
        path: "^node_modules/",
        pathNot: "^node_modules/(@noble/(ciphers|curves|hashes|post-quantum)|@scure/bip39|vitest)/",
      },
    },
    {
      name: "the-reference-reader-uses-no-crypto-of-node",
      severity: "error",
      from: { path: "^test/reference/" },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?fs$" },
    },
    {
      name: "noble-is-for-the-reference-reader",
      severity: "error",
      from: { path: "^(src|test|scripts)/", pathNot: "^test/reference/" },
      to: { path: "^node_modules/@noble/" },
    },
    {
      name: "broker-cannot-reach-what-decrypts",
      severity: "error",
      from: { path: "^src/broker/" },
      to: { path: "^src/(session|pairing|keystore|registrar|engine|store)/", reachable: true },
    },
    {
      name: "registrar-cannot-reach-what-decrypts",
      severity: "error",
      from: { path: "^src/registrar/" },
      to: { path: "^src/(session|pairing|engine|store)/", reachable: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
}
