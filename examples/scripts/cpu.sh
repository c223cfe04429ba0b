#!/bin/sh
# How busy is this machine? Samples the kernel's counters once a second and prints mean and highest CPU use with the
# load average. Fails when the mean is above a limit.
#
#   cpu.sh [SECONDS [LIMIT_PERCENT]]      default 8 seconds, 101 (never fails)
set -eu

seconds=${1:-8}
limit=${2:-101}

# All jiffies, and those in which the CPU had something to do (neither idle nor waiting for a disk).
jiffies() {
    while read -r name user nice system idle iowait irq softirq steal _rest; do
        [ "$name" = cpu ] || continue
        busy=$((user + nice + system + irq + softirq + steal))
        all=$((busy + idle + iowait))
        return
    done </proc/stat
}

jiffies
first_busy=$busy first_all=$all
highest=0
n=0
while [ "$n" -lt "$seconds" ]; do
    last_busy=$busy last_all=$all
    sleep 1
    jiffies
    if [ "$all" -gt "$last_all" ]; then
        use=$(((busy - last_busy) * 100 / (all - last_all)))
        [ "$use" -le "$highest" ] || highest=$use
    fi
    n=$((n + 1))
done
mean=0
[ "$all" -le "$first_all" ] || mean=$(((busy - first_busy) * 100 / (all - first_all)))
read -r one five fifteen _rest </proc/loadavg

echo "cpu: $mean % on average over $seconds s, $highest % at most; load $one $five $fifteen"
[ "$mean" -le "$limit" ] || {
    echo "cpu: above the limit of $limit %" >&2
    exit 1
}
