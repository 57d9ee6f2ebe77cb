#!/bin/sh
# Sets up what runs `.tflite` and `.pte` files as an ARM64 phone would, on a Debian or Ubuntu x86-64 machine:
#   setup.sh         makes it, once; about 290 MB in ${XDG_CACHE_HOME:-~/.cache}/deimv2/arm64
#   setup.sh check   prints that folder, or says in one line what to do
# PYTHON names the Python that has LiteRT and ExecuTorch: the same versions are set up (default python3).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/deimv2/arm64
python=${PYTHON:-python3}

say() { printf '==> %s\n' "$*" >&2; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# Of the runtimes and numpy, as requirements for pip.
versions() {
    "$python" -c '
import importlib.metadata as installed
for name in ("ai-edge-litert", "executorch", "numpy"):
    print(f"{name}=={installed.version(name)}")' 2>/dev/null ||
        fail "'$python' lacks LiteRT or ExecuTorch, whose versions are set up; install them with: $python -m pip install 'deimv2[litert,executorch]'"
}

state() { { echo "$versions" && cat "$here/setup.sh" "$here/count.c" "$here/executorch_worker.cpp"; } | cksum; }

# For each command that setting up needs and that is not there, the package that has it.
packages() {
    command -v mmdebstrap >/dev/null || echo mmdebstrap
    [ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
    command -v gcc >/dev/null || echo gcc libc6-dev
    command -v aarch64-linux-gnu-g++ >/dev/null || echo g++-aarch64-linux-gnu
}

install_packages() {
    missing=$(packages | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "missing: $missing; this needs Debian or Ubuntu"
    [ "$(id -u)" = 0 ] || fail "missing: $missing; install them with: sudo apt-get install -y $missing"
    say "installing $missing"
    apt-get -qq update >&2
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >&2
}

# ARCHITECTURE FOLDER PACKAGES: unpacks packages of Debian 12 and runs nothing of them.
debian() {
    mmdebstrap --quiet --variant=extract --architectures="$1" --include="$3" bookworm "$2" >&2
}

# Debian 12's qemu also where the system has one: later Debians link qemu-user statically, and then it takes no plugin.
emulator() {
    debian amd64 "$1/qemu" qemu-user
    find "$1/qemu/usr/bin" -name 'qemu-*' ! -name qemu-aarch64 -delete
    gcc -O2 -shared -fPIC -o "$1/count.so" "$here/count.c"
}

# Without it the runtimes crash, or choose their kernels by the processor of this machine. A Cortex-A76, as qemu emulates.
processor() {
    mkdir -p "$1/proc"
    cat >"$1/proc/cpuinfo" <<'TEXT'
processor	: 0
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x4
CPU part	: 0xd0b
CPU revision	: 1
TEXT
}

# Python 3.11 for LiteRT, and for ExecuTorch's worker the libraries of the compiler that builds it.
roots() {
    debian arm64 "$1/python" python3.11-minimal,libpython3.11-stdlib,libstdc++6,libgcc-s1,zlib1g
    mkdir "$1/cross"
    ln -s /usr/aarch64-linux-gnu/lib "$1/cross/lib"
    processor "$1/python"
    processor "$1/cross"
}

runtimes() {
    # shellcheck disable=SC2086
    "$python" -m pip install --disable-pip-version-check -q --no-deps --no-compile --only-binary=:all: --target "$1/runtimes" \
        --python-version 3.11 --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 $versions >&2
    library=$1/runtimes/executorch/lib
    headers=$1/runtimes/executorch/include
    aarch64-linux-gnu-g++ -std=c++17 -O2 -DC10_USING_CUSTOM_GENERATED_MACROS \
        -isystem "$headers" -isystem "$headers/executorch/runtime/core/portable_type/c10" \
        -o "$library/executorch_worker" "$here/executorch_worker.cpp" -L"$library" -Wl,-rpath,"\$ORIGIN" \
        -Wl,--no-as-needed -lexecutorch -lexecutorch_backend_xnnpack -lexecutorch_kernels_optimized \
        -lexecutorch_kernels_quantized -lexecutorch_threadpool
}

ready() { [ -f "$folder/ready" ] && [ "$(cat "$folder/ready")" = "$1" ]; }

case $(uname -sm) in
"Linux x86_64") ;;
*aarch64 | *arm64)
    say "this machine is ARM64 itself: nothing to emulate"
    exit 0
    ;;
*) fail "this is $(uname -sm), ARM64 is emulated on Linux x86_64 only; use such a machine" ;;
esac
versions=$(versions)
state=$(state)
case ${1:-make} in
check)
    ready "$state" || fail "no ARM64 emulator for these versions in '$folder'; set it up with: PYTHON=$python sh $here/setup.sh"
    echo "$folder"
    ;;
make)
    ! ready "$state" || exit 0
    install_packages
    mkdir -p "$(dirname "$folder")"
    new=$(mktemp -d "$folder.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    say "setting up Debian's qemu"
    emulator "$new"
    say "setting up Debian's Python for ARM64"
    roots "$new"
    # shellcheck disable=SC2086
    say "setting up the runtimes for ARM64:" $versions
    runtimes "$new"
    echo "$state" >"$new/ready"
    rm -rf "$folder"
    mv "$new" "$folder"
    say "ready in $folder"
    ;;
*) fail "no task '$1'; give none, or check" ;;
esac
