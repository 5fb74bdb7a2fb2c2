/** The folder of the files, where RabbitMQ listens, and where it asks the registrar. */
export type RabbitmqSettings = {
  /** Absolute, without a slash at the end. */
  readonly folder: string
  /** Undefined is every address. */
  readonly listen: string | undefined
  readonly port: number
  /** On loopback. */
  readonly registrarPort: number
}

/** An Erlang list. */
export const PLUGINS = "[rabbitmq_mqtt,rabbitmq_auth_mechanism_ssl,rabbitmq_auth_backend_http].\n"

/** The configuration of one node of RabbitMQ; docs/brokers.md has the reasons. */
export function rabbitmqConfiguration({ folder, listen, port, registrarPort }: RabbitmqSettings): string {
  const bindAddress = listen === undefined ? String(port) : `${listen}:${port}`
  const registrar = `http://127.0.0.1:${registrarPort}`
  return `# mqttchat on one node of RabbitMQ 3.10 or later. docs/brokers.md says how to install and start it.

# AMQP is not needed.
listeners.tcp = none

# Devices show a certificate, guests show nothing, on the same port.
mqtt.listeners.tcp = none
mqtt.listeners.ssl.default = ${bindAddress}
mqtt.tcp_listen_options.nodelay = true
ssl_options.cacertfile = ${folder}/ca.crt
ssl_options.certfile = ${folder}/server.crt
ssl_options.keyfile = ${folder}/server.key
ssl_options.versions.1 = tlsv1.3
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false

# The certificate's common name is the user name; the registrar requires it as client id, too.
mqtt.ssl_cert_login = true
ssl_cert_login_from = common_name
# Guests are the user "guest", which may pair and register and nothing else.
mqtt.allow_anonymous = true

# Every login, queue and topic is the registrar's to allow: mqttchat registrar --rabbitmq ${registrarPort}
auth_backends.1 = http
auth_http.http_method = post
auth_http.user_path = ${registrar}/user
auth_http.vhost_path = ${registrar}/vhost
auth_http.resource_path = ${registrar}/resource
auth_http.topic_path = ${registrar}/topic

# 30 days, as long as a sender repeats a message.
mqtt.subscription_ttl = 2592000000

# A retained message would meet every later subscriber.
mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_noop
# The largest frame.
max_message_size = 65536
`
}

/** What RabbitMQ's shell scripts read first: keeps all files in `folder`, and exposes only MQTT to other machines. */
export function rabbitmqEnvironment(folder: string): string {
  const quotedPath = (name: string): string => `'${folder}/${name}'`
  return `NODENAME=mqttchat@localhost
CONFIG_FILE=${quotedPath("rabbitmq.conf")}
ADVANCED_CONFIG_FILE=${quotedPath("advanced.config")}
ENABLED_PLUGINS_FILE=${quotedPath("enabled_plugins")}
MNESIA_BASE=${quotedPath("data")}
LOG_BASE=${quotedPath("log")}
PID_FILE=${quotedPath("rabbitmq.pid")}
# Nodes of a cluster would have to find one another; this one is alone.
export ERL_EPMD_ADDRESS=127.0.0.1
SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
`
}
