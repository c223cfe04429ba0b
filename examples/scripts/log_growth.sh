#!/bin/sh
# Does a log still grow, and how fast? Compares the size of a file with the last look. Fails when the file was there
# before and is gone, and when it has not grown for a number of looks.
#
#   log_growth.sh [FILE [LOOKS]]      default .state/samples.log, 5
set -eu

file=${1:-.state/samples.log}
looks=${2:-5}
state=.state/growth
mkdir -p "$state"
# One note per watched file.
note=$state/$(printf '%s' "$file" | tr / _)

was=- still=0
[ ! -f "$note" ] || read -r was still <"$note" || :
if [ ! -f "$file" ]; then
    [ "$was" = - ] || {
        echo "log: $file is gone; it had $was bytes" >&2
        exit 1
    }
    echo "log: $file is not there yet"
    exit 0
fi
size=$(($(wc -c <"$file")))

case $was in
-) echo "log: $file has $size bytes at the first look" ;;
*)
    if [ "$size" -gt "$was" ]; then
        still=0
        echo "log: $file grew by $((size - was)) to $size bytes"
    elif [ "$size" -lt "$was" ]; then
        still=0
        echo "log: $file was cut from $was to $size bytes"
    else
        still=$((still + 1))
        echo "log: $file still has $size bytes"
    fi
    ;;
esac
# Written aside and moved, so that a look that is ended halfway leaves the old note.
printf '%s %s\n' "$size" "$still" >"$note.new"
mv -- "$note.new" "$note"
[ "$still" -lt "$looks" ] || {
    echo "log: $file has not grown for $still looks" >&2
    exit 1
}
