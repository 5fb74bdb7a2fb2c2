#!/bin/sh
# Who may do what where Mosquitto's dynamic-security plugin is in use; docs/brokers.md says when that is.
#
#   dynamic-security.sh setup  [OPTION...]           once
#   dynamic-security.sh admit  DEVICE [OPTION...]    after `mqttchat broker devices` shows it
#   dynamic-security.sh expel  DEVICE [OPTION...]    with `mqttchat broker revoke`; ends its connection
#
# Options are those of mosquitto_ctrl, as -h HOST -p PORT -u ADMIN; a password belongs in ~/.config/mosquitto_ctrl.
set -eu

verb=${1-}
device=${2-}
case $verb in
setup) shift ;;
admit | expel)
  # It becomes part of topics: wildcards would open other inboxes.
  case $device in
  '' | *[!A-Za-z0-9_-]*) echo "not a device id: $device" >&2 && exit 64 ;;
  esac
  shift 2
  ;;
*) sed -n 's/^# \{0,1\}//p' "$0" | sed -n '2,7p' >&2 && exit 64 ;;
esac
options=$*

# shellcheck disable=SC2086 # the options are words
dynsec() { mosquitto_ctrl $options dynsec "$@"; }
allow() { dynsec addRoleACL "$1" "$2" "$3" allow; }

case $verb in
setup)
  dynsec createRole mqttchat
  # sharedRole: written by npm run docs
  allow mqttchat publishClientSend 'mc/1/i/+/+'
  allow mqttchat publishClientSend 'mc/1/p/+'
  allow mqttchat subscribePattern 'mc/1/p/+'
  allow mqttchat publishClientReceive 'mc/1/p/+'
  allow mqttchat publishClientSend 'mc/1/g/+'
  allow mqttchat subscribePattern 'mc/1/g/+'
  allow mqttchat publishClientReceive 'mc/1/g/+'
  # end of sharedRole
  ;;
admit)
  # 2.0 does not replace %u and %c, so each device has a role of its own.
  dynsec createRole "$device"
  # deviceRole: written by npm run docs
  allow "$device" subscribePattern "mc/1/i/$device/+"
  allow "$device" publishClientReceive "mc/1/i/$device/+"
  allow "$device" publishClientSend "mc/1/reg/q/$device"
  allow "$device" subscribeLiteral "mc/1/reg/a/$device"
  allow "$device" publishClientReceive "mc/1/reg/a/$device"
  # end of deviceRole
  dynsec createClient "$device" -c "$device"
  dynsec addClientRole "$device" mqttchat
  dynsec addClientRole "$device" "$device"
  ;;
expel)
  # Not disabled: a certificate would bring it back.
  dynsec deleteClient "$device"
  dynsec deleteRole "$device"
  ;;
esac
