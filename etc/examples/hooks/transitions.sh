#!/bin/sh
# A notify script in keepalived's manner: KIND NAME STATE PRIORITY. For directors that are resolvers too, as in the
# three-node DNS cluster of the LVS HOWTO. While this one is MASTER the resolvers' address is where VRRP puts it, and
# the back end is reached by a route of its own; while it is not, the address lies on lo, so that the name server goes on
# answering what is handed to it. Needs root, and may be run twice for the same state.
resolver=${RESOLVER:-10.0.0.53/32}
backend=${BACKEND:-10.7.0.0/24}
gateway=${GATEWAY:-10.0.0.254}
pidfile=${PIDFILE:-/run/named/named.pid}

echo "$1 $2 is $3 now, priority $4"
case "$3" in
MASTER)
    ip address del "$resolver" dev lo 2>/dev/null
    ip route replace "$backend" via "$gateway"
    ;;
BACKUP | FAULT | STOP)
    ip address replace "$resolver" dev lo
    ip route del "$backend" 2>/dev/null
    ;;
esac
kill -HUP "$(cat "$pidfile")"
