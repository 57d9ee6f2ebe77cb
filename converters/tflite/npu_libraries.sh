#!/bin/sh
# Puts the libraries that LiteRT's compiler for Qualcomm's NPUs loads beside the Python environment,
# below share/deimv2-npu/qualcomm. Nothing is installed in the system or the environment.
#
# PYTHON: the environment's interpreter. Prints the folder. Exits 2 where they cannot be had.
#
# They are Qualcomm's, under its licence, which lies beside them, and come from the wheel of ONNX
# Runtime's QNN provider. It lacks libQnnLpai.so, of a processor for sound that nothing here asks
# for; the loader only has to find one of that name.
set -eu

version=2.7.0
python=${PYTHON:-python3}
folder=$("$python" -c 'import sys; print(sys.prefix)')/share/deimv2-npu/qualcomm

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

if [ -f "$folder/libQnnHtp.so" ]; then
    echo "$folder"
    exit
fi
[ "$(uname -sm)" = "Linux x86_64" ] || fail "the compiler runs on Linux x86-64 alone, this is $(uname -sm)"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m pip download --disable-pip-version-check -q --no-deps --only-binary :all: -d "$scratch" \
    "onnxruntime-qnn==$version" >&2 || fail "pip could not download onnxruntime-qnn $version; check the network"
"$python" -m zipfile -e "$scratch"/onnxruntime_qnn-*.whl "$scratch"
mkdir -p "$(dirname "$folder")"
mkdir "$scratch/qualcomm"
for name in libQnnHtp.so libHtpPrepare.so libQnnIr.so libQnnSaver.so libQnnSystem.so Qualcomm_LICENSE.pdf; do
    [ -f "$scratch/onnxruntime_qnn/$name" ] || fail "onnxruntime-qnn $version holds no $name"
    mv "$scratch/onnxruntime_qnn/$name" "$scratch/qualcomm/"
done
mv "$scratch"/onnxruntime_qnn.libs/* "$scratch/qualcomm/"
ln -s libQnnIr.so "$scratch/qualcomm/libQnnLpai.so"
rm -rf "$folder"
mv "$scratch/qualcomm" "$folder"
echo "$folder"
