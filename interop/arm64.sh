#!/usr/bin/env bash
# interop/arm64.sh: the kernels' tests, and pipeline "tiny", on an emulated 64-bit ARM (qemu-user): NEON and portable code give the bits of
# this machine. Probes and reports, which promise equal bytes on one architecture, are left out. Wants Debian's qemu-user-static.
set -euo pipefail
cd "$(dirname "$0")/.."
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || { echo "there is no qemu-aarch64" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export CGO_ENABLED=0

GOARCH=arm64 go test -c -o "$tmp/kernel.test" ./lm/kernel
GOARCH=arm64 go test -c -o "$tmp/lm.test" ./lm
(cd lm/kernel && $qemu "$tmp/kernel.test" -test.run 'Product|FMA|Choose')
(cd lm && $qemu "$tmp/lm.test" -test.run 'Reproducible')

for arch in "$(go env GOHOSTARCH)" arm64; do
	GOARCH=$arch go build -o "$tmp/anneal.$arch" .
	mkdir "$tmp/$arch"
	cp pipelines.hcl "$tmp/$arch"
	emulator=
	[ $arch = "$(go env GOHOSTARCH)" ] || emulator=$qemu
	$emulator "$tmp/anneal.$arch" -C "$tmp/$arch" run tiny | tail -n 2
	$emulator "$tmp/anneal.$arch" -C "$tmp/$arch" ls tiny --json | grep -vE '"addr":"(probe|report)' >"$tmp/digests.$arch"
done
diff "$tmp/digests.$(go env GOHOSTARCH)" "$tmp/digests.arm64"
wc -l <"$tmp/digests.arm64" | sed 's/$/ artifacts with equal digests on both/'
