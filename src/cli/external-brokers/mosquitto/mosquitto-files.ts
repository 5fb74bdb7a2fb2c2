/** The folder of the files, where Mosquitto listens, and the account that must be able to read them. */
export type MosquittoSettings = {
  /** Absolute, without a slash at the end. */
  readonly folder: string
  /** Folder of the messages that survive a restart. */
  readonly data: string
  readonly pidFile: string
  /** As in `listener PORT ADDRESS`; undefined is every address. */
  readonly listen: string | undefined
  readonly port: number
  readonly guestPort: number
  /** If undefined, Mosquitto decides: started by root, it becomes the user "mosquitto". */
  readonly user: string | undefined
}

/** The hardened configuration of Mosquitto 2; README.md in mosquitto/ says what each part is for. */
export function mosquittoConfiguration(settings: MosquittoSettings): string {
  const { folder, data, port, guestPort } = settings
  const address = settings.listen === undefined ? "" : ` ${settings.listen}`
  const user =
    settings.user === undefined
      ? ""
      : `\n# The owner of this folder; if root starts Mosquitto, it would become another user.\nuser ${settings.user}\n`
  return `# mqttchat on Mosquitto 2. README.md in the package's mosquitto/ says how to install and start it.

# Each listener has its own access list: devices show a certificate, guests show nothing.
per_listener_settings true

# Devices.
listener ${port}${address}
tls_version tlsv1.3
cafile ${folder}/ca.crt
certfile ${folder}/server.crt
keyfile ${folder}/server.key
# Who was revoked. The registrar writes it and sends SIGHUP.
crlfile ${folder}/crl.pem
require_certificate true
# The certificate's common name is user name and client id: no client can connect as another.
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file ${folder}/devices.acl
max_qos 1

# Guests: newcomers who pair by a code or register. Delete this listener if newcomers come by link or file with
# an account that you gave them.
listener ${guestPort}${address}
tls_version tlsv1.3
cafile ${folder}/ca.crt
certfile ${folder}/server.crt
keyfile ${folder}/server.key
allow_anonymous true
acl_file ${folder}/guests.acl
max_qos 1
max_connections 100

# A retained message would meet every later subscriber.
retain_available false
# The largest frame is 65,536 bytes; topic and headers come on top.
max_packet_size 66560
# Beyond these Mosquitto drops and acknowledges all the same; senders keep a message until its receipt comes.
max_queued_messages 10000
max_queued_bytes 67108864

# kill -9 or a power cut loses what came in the last 30 seconds; senders send it again.
persistence true
persistence_location ${data}/
autosave_interval 30
persistent_client_expiration 30d

# CONNACK would wait 40 ms behind the TLS session tickets.
set_tcp_nodelay true
# Statistics name no one, but they are not needed.
sys_interval 0
pid_file ${settings.pidFile}
${user}`
}
