#!/bin/bash
# Runs Kafka on the volume at /var/lib/kafka. An empty one is formatted first, beside its place: the rename is the commit.
set -euo pipefail
data=/var/lib/kafka/data
java_options=(-Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -XX:-UsePerfData
  -Djava.awt.headless=true -Dlog4j2.configurationFile=/opt/kafka/log4j2.properties -cp '/opt/kafka/jars/*')

if [[ ! -d $data ]]; then
  rm -rf "$data.new"
  sed "s|^log.dirs=.*|log.dirs=$data.new|" /opt/kafka/server.properties >/tmp/format.properties
  java "${java_options[@]}" kafka.tools.StorageTool format \
    -t "$(java "${java_options[@]}" kafka.tools.StorageTool random-uuid)" -c /tmp/format.properties
  mv "$data.new" "$data"
fi
exec java "${java_options[@]}" kafka.Kafka /opt/kafka/server.properties
