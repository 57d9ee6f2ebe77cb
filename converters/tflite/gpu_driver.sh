#!/bin/sh
# Puts a software Vulkan driver for LiteRT's GPU accelerator beside the Python environment, below
# share/deimv2-gpu, where the system has no driver of its own. Nothing is installed in the system.
#
# PYTHON: the environment's interpreter. Prints what is used. Exits 2 where nothing can be had.
#
# libvulkan.so.1 (the loader) is of Debian's libvulkan1, libvk_swiftshader.so (a driver that computes
# on the CPU) of its chromium-common.
set -eu

python=${PYTHON:-python3}
folder=$("$python" -c 'import sys; print(sys.prefix)')/share/deimv2-gpu

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

if [ -f "$folder/icd.json" ]; then
    echo "software driver in $folder"
    exit
fi
if ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1' && ls /usr/share/vulkan/icd.d/*.json >/dev/null 2>&1; then
    echo "this system's Vulkan driver"
    exit
fi
command -v apt-get >/dev/null || fail "no Vulkan driver and no apt-get; install one for your GPU"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
if ! apt-get -qq download libvulkan1 chromium-common 2>/dev/null; then
    [ "$(id -u)" = 0 ] || fail "apt-get knows no libvulkan1; run: sudo apt-get update"
    apt-get -qq update && apt-get -qq download libvulkan1 chromium-common 2>/dev/null ||
        fail "apt-get could not download libvulkan1 and chromium-common; check the network"
fi
for package in ./*.deb; do
    dpkg -x "$package" .
done
mkdir -p "$folder"
for name in libvulkan.so.1 libvk_swiftshader.so; do
    found=$(find usr -path "*chromium/libvulkan*" -prune -o -name "$name" -print | head -n 1)
    [ -n "$found" ] || fail "the packages hold no $name; install a Vulkan driver for your GPU"
    cp -L "$found" "$folder/$name"
done
printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.0.5"}}\n' \
    "$folder/libvk_swiftshader.so" >"$folder/icd.json"
echo "software driver in $folder"
