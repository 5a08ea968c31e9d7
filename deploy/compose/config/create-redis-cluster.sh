#!/bin/sh
# Makes a cluster of redis-1 to redis-6, three primaries with a replica each, unless they are one already.
set -eu

says() {
  redis-cli -h redis-1 cluster info | tr -d '\r' | grep -qx "$1"
}

is_whole() {
  says cluster_state:ok && says cluster_known_nodes:6
}

if says cluster_known_nodes:1; then
  # Redis joins nodes by address, not by name.
  nodes=''
  for n in 1 2 3 4 5 6; do
    nodes="$nodes $(getent hosts "redis-$n" | awk '{ print $1 }'):6379"
  done
  # Addresses in words of their own.
  # shellcheck disable=SC2086
  redis-cli --cluster create $nodes --cluster-replicas 1 --cluster-yes
else
  # It may still be coming up: made once, it is never made again.
  echo 'The cluster exists.'
fi

tries=0
until is_whole; do
  tries=$((tries + 1))
  if [ "$tries" -gt 30 ]; then
    echo 'The cluster exists, but does not become whole.' >&2
    exit 1
  fi
  sleep 1
done
