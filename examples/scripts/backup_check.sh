#!/bin/sh
# Is there a backup that is whole and not older than a day? There is none until somebody makes one, so at first this
# fails, is retried, and ends in the dead letters. To heal it, and see the next run succeed:
#
#   mkdir -p examples/.state && tar -czf examples/.state/backup.tar.gz examples/scripts
#
#   backup_check.sh [FILE]      default .state/backup.tar.gz
set -eu

file=${1:-.state/backup.tar.gz}
attempt=${JOBSTILE_ATTEMPT:-1}
[ -f "$file" ] || {
    echo "backup: no file $file (attempt $attempt)" >&2
    exit 1
}
gzip -t -- "$file"
[ -z "$(find "$file" -mmin +1440)" ] || {
    echo "backup: $file is older than a day (attempt $attempt)" >&2
    exit 1
}
echo "backup: $file is whole, $(($(wc -c <"$file"))) bytes"
