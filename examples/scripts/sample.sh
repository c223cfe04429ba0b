#!/bin/sh
# Writes a line a second to a log: time, run, load, available memory. Two of these may write at once: a line is one
# write to a file opened for appending.
#
#   sample.sh [SECONDS [FILE]]      default 6 seconds, .state/samples.log
set -eu

seconds=${1:-6}
file=${2:-.state/samples.log}
mkdir -p "$(dirname -- "$file")"

n=0
while [ "$n" -lt "$seconds" ]; do
    read -r load _rest </proc/loadavg
    available=0
    while read -r name amount _unit; do
        [ "$name" != MemAvailable: ] || available=$amount
    done </proc/meminfo
    echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) run=${JOBSTILE_RUN_ID:--} load=$load available_kib=$available" >>"$file"
    n=$((n + 1))
    sleep 1
done

# A log without an end is a full disk: keep the newest 1,000 lines of 2,000. What another run writes between these two
# commands is lost; a log that matters is rotated by its only writer.
lines=$(($(wc -l <"$file")))
if [ "$lines" -gt 2000 ]; then
    tail -n 1000 -- "$file" >"$file.$$"
    mv -- "$file.$$" "$file"
fi
echo "sample: wrote $seconds lines to $file"
