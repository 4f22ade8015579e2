#!/bin/sh
# Fuzzes one target after the other, each for so many seconds (600 unless told), and stops at the first
# finding. Installs nothing: says what is missing.
#   scripts/fuzz.sh [seconds] [target …]
set -eu
cd "$(dirname "$0")/.."

seconds=${1:-600}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- events multipart queries sniffers

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "fuzzing needs a nightly compiler: rustup toolchain install nightly" >&2
    exit 1
fi
if ! command -v cargo-fuzz >/dev/null; then
    echo "fuzzing needs cargo-fuzz: cargo install cargo-fuzz --locked" >&2
    exit 1
fi

for target in "$@"; do
    echo "fuzzing $target for $seconds seconds"
    words=fuzz/dictionaries/$target.txt
    # What is found new goes to a directory of its own: the corpus is chosen by hand.
    mkdir -p "fuzz/artifacts/$target" "fuzz/target/found/$target"
    cargo +nightly fuzz run "$target" "fuzz/target/found/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=8192 \
        $([ -f "$words" ] && echo "-dict=$words") -print_final_stats=1
done
