#!/bin/bash
# Succeeds when the broker answers ApiVersions (key 18, version 0), the smallest exchange that shows a Kafka that works.
exec 3<>/dev/tcp/127.0.0.1/9092 || exit 1
#       size 10           key 18  version 0 correlation 1       no client id
printf '\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff' >&3
# Of the answer: size, correlation id, error code.
answer=$(timeout 3 head -c 10 <&3 | od -An -v -tx1 -j 4 | tr -d ' \n')
[[ $answer == 000000010000 ]]
