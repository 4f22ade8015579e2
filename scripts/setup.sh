#!/bin/sh
# Installs the programs that the service and its tests run, where they are missing. Changes nothing
# that is there. Debian and Ubuntu; elsewhere it names what is missing and stops.
# With --tests also what only the tests run: Azure's storage emulator, from npm, in target/tools.
set -eu
cd "$(dirname "$0")/.."

tests=no
[ "${1:-}" = --tests ] && tests=yes
azurite=3.35.0

packages=""
missing=""

# need PACKAGE NAME REASON CHECK...: asks for PACKAGE unless the check succeeds.
need() {
    package=$1 name=$2 reason=$3
    shift 3
    if "$@" >/dev/null 2>&1; then
        return
    fi
    case " $packages " in
        *" $package "*) ;;
        *) packages="$packages $package" ;;
    esac
    missing="$missing
  $name: $reason ($package)"
}

has() { command -v "$1" || [ -x "/usr/sbin/$1" ]; }

has_postgres() {
    for program in "$(command -v postgres || true)" /usr/lib/postgresql/*/bin/postgres; do
        [ -x "$program" ] || continue
        version=$("$program" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
        [ "${version:-0}" -ge 15 ] && return 0
    done
    return 1
}

has_nats() {
    program=$(has nats-server) || program=/usr/sbin/nats-server
    [ -x "$program" ] || return 1
    version=$("$program" --version | sed 's/[^0-9]*\([0-9]*\)\.\([0-9]*\).*/\1\2/')
    [ "${version:-0}" -ge 29 ]
}

has_language() { tesseract --list-langs 2>&1 | grep -qx "$1"; }

has_faketime() { ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null; }

has_speech_model() { ls -d /usr/share/pocketsphinx/model/en-us/en-us* >/dev/null; }

if ! command -v cargo >/dev/null 2>&1; then
    echo "setup: there is no Rust toolchain: install one from https://rustup.rs and try again" >&2
    exit 1
fi

need gcc cc "links the binary" has cc
need libc6-dev "C headers" "compile the C parts of libraries" test -e /usr/include/stdio.h
need postgresql "PostgreSQL 15 or newer" "keeps the events" has_postgres
need nats-server "nats-server 2.9 or newer" "passes events on" has_nats
need tesseract-ocr tesseract "reads documents" has tesseract
need tesseract-ocr-eng "tesseract: English" "reads English documents" has_language eng
need tesseract-ocr-ara "tesseract: Arabic" "tells Arabic documents from others" has_language ara
need poppler-utils pdftotext "reads PDF files" has pdftotext
need poppler-utils pdftoppm "renders PDF pages" has pdftoppm
need qpdf qpdf "checks PDF files" has qpdf
need ffmpeg ffmpeg "decodes recordings" has ffmpeg
need pocketsphinx pocketsphinx "transcribes recordings" has pocketsphinx_batch
need pocketsphinx-en-us "pocketsphinx: English" "transcribes English" has_speech_model
need bubblewrap bwrap "locks the engines in" has bwrap
need util-linux setpriv "ends child processes with us" has setpriv

if [ "$tests" = yes ]; then
    need nodejs node "runs Azure's storage emulator for the tests" has node
    need libfaketime libfaketime "sets the clocks of single processes for the tests" has_faketime
    need npm npm "installs Azure's storage emulator for the tests" has npm
fi

has_azurite() {
    grep -qs "\"version\": \"$azurite\"" target/tools/node_modules/azurite/package.json
}

# No install scripts of packages are run.
install_for_tests() {
    if [ "$tests" = no ] || has_azurite; then
        return
    fi
    echo "setup: installing azurite $azurite from npm into target/tools: the tests keep files in it"
    mkdir -p target/tools
    if ! npm install --prefix target/tools --ignore-scripts --no-audit --no-fund --no-save \
        --loglevel error "azurite@$azurite"; then
        echo "setup: azurite cannot be installed: is registry.npmjs.org (or npm's configured registry) reached?" >&2
        exit 1
    fi
}

if [ -z "$packages" ]; then
    install_for_tests
    exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: these programs are missing; install them and try again:$missing" >&2
    exit 1
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "setup: these programs are missing, and there is no sudo to install them:$missing" >&2
        echo "as root: apt-get install$packages" >&2
        exit 1
    fi
    as_root=sudo
fi

echo "setup: installing what is missing${as_root:+ (with sudo)}:$missing"

# Debian would make and start a database cluster of its own; ours is private to the data directory.
no_cluster=/etc/postgresql-common/createcluster.d/alta-no-main-cluster.conf
case " $packages " in
    *" postgresql "*)
        $as_root mkdir -p "$(dirname "$no_cluster")"
        echo "create_main_cluster = false" | $as_root tee "$no_cluster" >/dev/null
        trap '$as_root rm -f "$no_cluster"' EXIT
        ;;
esac

$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q ||
    echo "setup: apt-get update failed, going on with the lists that are there" >&2
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages

if ! has_postgres; then
    echo "setup: this system's PostgreSQL is older than 15: install a newer one (https://wiki.postgresql.org/wiki/Apt) and try again" >&2
    exit 1
fi
if ! has_nats; then
    echo "setup: this system's nats-server is older than 2.9: install a newer one (https://docs.nats.io) and try again" >&2
    exit 1
fi
install_for_tests
