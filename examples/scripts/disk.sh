#!/bin/sh
# How full is the file system of a folder, in bytes and in files? Fails when either is above a limit.
#
#   disk.sh [LIMIT_PERCENT [FOLDER]]      default 99, the working directory
set -eu

limit=${1:-99}
folder=${2:-.}

# Column 5 of df -P is "43%", or "-" where a file system does not count files.
used() {
    df -P "$@" -- "$folder" | while read -r _source _size _used _free percent _mount; do
        case $percent in
        *[0-9]%) echo "${percent%\%}" ;;
        esac
    done
}

bytes=$(used)
files=$(used -i)
echo "disk: ${bytes:-?} % of the space and ${files:-?} % of the files in use"
for percent in "${bytes:-0}" "${files:-0}"; do
    [ "$percent" -le "$limit" ] || {
        echo "disk: $percent % is above the limit of $limit %" >&2
        exit 1
    }
done
