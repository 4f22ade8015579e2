#!/bin/sh
# Writes .sqlx anew: compiles every query against a private, freshly migrated database. sqlx-cli is
# not needed.
set -eu
cd "$(dirname "$0")/.."

new=$(mktemp -d "$PWD/target/sqlx-XXXXXX")
trap 'rm -rf "$new"' EXIT

# Queries are checked when their crates are compiled, so that all must be compiled anew.
grep -rlE 'query(_as|_scalar)?!' --include='*.rs' --exclude-dir=target -- */ | xargs touch

SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$new" \
    cargo run --quiet -p test-kit --bin with-database -- \
    cargo check --workspace --all-targets

mkdir -p .sqlx
rm -f .sqlx/query-*.json
find "$new" -name 'query-*.json' -exec mv {} .sqlx/ \;
echo "$(find .sqlx -name 'query-*.json' | wc -l) queries are in .sqlx"
