"""Paho's client, told what to do by its arguments: PORT VERSION sub TOPIC | PORT VERSION pub TOPIC TEXT QOS."""

import sys

import paho.mqtt.client as mqtt

VERSIONS = {"3.1": mqtt.MQTTv31, "3.1.1": mqtt.MQTTv311, "5": mqtt.MQTTv5}
_, port, version, act, topic, *rest = sys.argv


def say(line):
    print(line, flush=True)


client = mqtt.Client(client_id=f"paho-{act}-{version}", protocol=VERSIONS[version])
client.username_pw_set("bob", "horse")
if act == "sub":
    client.on_connect = lambda *_: client.subscribe(topic, qos=2)
    client.on_subscribe = lambda *_: say("subscribed")
    client.on_message = lambda _client, _data, heard: say(f"{heard.qos} {heard.topic} {heard.payload.decode()}")
else:
    text, qos = rest
    client.on_connect = lambda *_: client.publish(topic, text, qos=int(qos))
    client.on_publish = lambda *_: (say("published"), client.disconnect())
client.connect("127.0.0.1", int(port))
client.loop_forever()
