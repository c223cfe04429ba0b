#!/bin/sh
# How much memory is left? Prints what a new program could have without swapping. Fails when it is below a limit.
#
#   memory.sh [LEAST_PERCENT]      default 2
set -eu

least=${1:-2}
total=0 available=0
while read -r name amount _unit; do
    case $name in
    MemTotal:) total=$amount ;;
    MemAvailable:) available=$amount ;;
    esac
done </proc/meminfo
[ "$total" -gt 0 ] || {
    echo "memory: /proc/meminfo has no MemTotal" >&2
    exit 1
}

left=$((available * 100 / total))
echo "memory: $((available / 1024)) of $((total / 1024)) MiB available, $left %"
[ "$left" -ge "$least" ] || {
    echo "memory: below the limit of $least %" >&2
    exit 1
}
