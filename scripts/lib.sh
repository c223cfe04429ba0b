# shellcheck shell=bash
# Shared by scripts/test and scripts/soak: checks for required tools, and named, timed steps.
# Sourced by bash, from the root of the repository.

# The Debian package that contains a tool the tests call.
package_of() {
    case $1 in
    python3) echo python3 ;;
    flock | setsid | unshare | setpriv) echo util-linux ;;
    openssl) echo openssl ;;
    ps) echo procps ;;
    cc) echo "gcc libc6-dev" ;;
    esac
}

# Installs missing tools if it can, otherwise says what to install. Asks no questions.
need_tools() {
    local tool missing=() packages=()
    for tool in cargo rustc; do
        command -v "$tool" >/dev/null || {
            echo "error: $tool not found: install a Rust toolchain, $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer" >&2
            exit 1
        }
    done
    for tool in fmt clippy; do
        cargo "$tool" --version >/dev/null 2>&1 || {
            echo "error: cargo $tool not found: run \`rustup component add rustfmt clippy\`" >&2
            exit 1
        }
    done
    for tool in python3 flock setsid unshare setpriv openssl ps cc; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    for tool in "${missing[@]}"; do
        # shellcheck disable=SC2207  # two words are two packages
        packages+=($(package_of "$tool"))
    done
    local apt=()
    if command -v apt-get >/dev/null; then
        if [ "$(id -u)" = 0 ]; then
            apt=(env DEBIAN_FRONTEND=noninteractive apt-get)
        elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            apt=(sudo -n env DEBIAN_FRONTEND=noninteractive apt-get)
        fi
    fi
    if [ ${#apt[@]} = 0 ]; then
        echo "error: the tests need ${missing[*]}; on Debian: apt-get install ${packages[*]}" >&2
        exit 1
    fi
    echo "installing ${packages[*]} (for ${missing[*]})"
    "${apt[@]}" update -q </dev/null
    "${apt[@]}" install -y -q --no-install-recommends "${packages[@]}" </dev/null
    for tool in "${missing[@]}"; do
        command -v "$tool" >/dev/null || {
            echo "error: $tool is still missing after installing ${packages[*]}" >&2
            exit 1
        }
    done
}

began=$SECONDS
summary=()

took() { printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); }

print_summary() {
    printf '\n%s\n' "${summary[@]}"
    printf '%-14s %s\n' "total" "$(took $((SECONDS - began)))"
}

# step NAME HINT COMMAND…: runs the command and records its time; the first failure stops everything and prints the hint.
# If `only` has words, steps with other names are skipped.
only=()
step() {
    local name=$1 hint=$2 at=$SECONDS code=0
    shift 2
    [ ${#only[@]} = 0 ] || [[ " ${only[*]} " == *" $name "* ]] || return 0
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" || code=$?
    summary+=("$(printf '%-14s %-14s %s' "$name" "$(took $((SECONDS - at)))" "$([ $code = 0 ] && echo ok || echo "FAILED, exit $code")")")
    [ $code = 0 ] && return
    print_summary
    printf '\nfailed: %s\n  the command was: %s\n  %s\n' "$name" "$*" "$hint" >&2
    exit 1
}
