#!/bin/sh
# The kernel's word on overlap: an attempt that holds one file lock per slot and leaves a process behind that holds it too.
#
#   witness.sh FOLDER SLOTS SECONDS
#
# Takes the first of the locks slot-0 … slot-(SLOTS-1) in FOLDER that is free. If none is, more attempts work at once than
# there are slots: that is written down as OVERLAP, whatever the scheduler's books say. The lock is freed by the kernel when
# the last process that holds it is dead, and the one in a session of its own never ends by itself.
set -u
folder=$1 slots=$2 seconds=$3
who="run=$JOBSTILE_RUN_ID attempt=$JOBSTILE_ATTEMPT fence=$JOBSTILE_FENCE pid=$$"

slot=0
while exec 9>>"$folder/slot-$slot" && ! flock -n 9; do
    slot=$((slot + 1))
    if [ "$slot" -ge "$slots" ]; then
        echo "OVERLAP $who" >>"$folder/log"
        exit 1
    fi
done
echo "START slot=$slot $who" >>"$folder/log"
# Twice forked, in its own session, deaf to TERM, and with the lock.
(
    trap '' TERM
    setsid sleep 600 <&- >&- 2>&- &
)
sleep "$seconds"
echo "END slot=$slot $who" >>"$folder/log"
