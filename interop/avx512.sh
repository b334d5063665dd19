#!/usr/bin/env bash
# interop/avx512.sh: the tests of the kernels on a processor with AVX-512, which compare every instruction set with the portable code. Where
# this one has none, it emulates one: Bochs as a Skylake-X, with Debian's kernel and a test binary as all that runs. Wants Debian's bochs,
# bochs-term, bochsbios, vgabios, busybox-static, isolinux, syslinux-common, xorriso and cpio; apt fetches the kernel. A few minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Tests that compare AVX-512 with portable code, and are short.
kernel='-test.run=^(TestProductIsOneChain|TestVectorsAgainstTheirTwins|TestProductStaysInside)$/avx512|^TestDecodeEqualsForward$//avx512|^(TestPortableFMAAgainstTiles|TestTinyIsZero|TestVectorsStayInside|TestChoose)$'
model='-test.run=Reproducible/avx512'
if grep -qw avx512vl /proc/cpuinfo; then
	go test ./lm/kernel "-run=${kernel#*=}"
	ANNEAL_ISA=avx512 go test ./lm "-run=${model#*=}"
	exit
fi

mkdir -p "$tmp/root/bin" "$tmp/iso"
for package in lm/kernel lm; do
	CGO_ENABLED=0 go test -c -o "$tmp/root/$(basename $package).test" ./$package
done
cp "$(command -v busybox)" "$tmp/root/bin/busybox"
cat >"$tmp/root/init" <<END
#!/bin/busybox sh
busybox() { /bin/busybox "\$@"; }
busybox mkdir -p /proc /dev /tmp
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
export GOMAXPROCS=1 GODEBUG=asyncpreemptoff=1 ANNEAL_ISA=avx512
cd /tmp
{
	/kernel.test '$kernel' -test.v && /lm.test '$model' -test.v
	echo "exit code \$?"
} >/dev/ttyS0 2>&1
busybox sleep 1
busybox poweroff -f
END
chmod +x "$tmp/root/init"
(cd "$tmp/root" && find . | cpio -o -H newc --quiet | gzip -1) >"$tmp/iso/initrd"
(
	cd "$tmp"
	image=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
	apt-get -qq download "$image" 2>/dev/null
	dpkg -x linux-image-*.deb kernel
	cp kernel/boot/vmlinuz-* iso/vmlinuz
)
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$tmp/iso/"
# Bochs tells the size of the compacted state wrongly, at which Linux would give up all vector units.
cat >"$tmp/iso/isolinux.cfg" <<END
default anneal
label anneal
kernel vmlinuz
append initrd=initrd console=ttyS0 quiet loglevel=3 clearcpuid=xsaves,xsavec mitigations=off tsc=reliable lpj=4000000 no_timer_check nosmp noapic nohz=off highres=off random.trust_cpu=on panic=-1
END
xorriso -as mkisofs -quiet -o "$tmp/boot.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table "$tmp/iso" 2>/dev/null
cat >"$tmp/bochsrc" <<END
megs: 1024
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model=corei7_skylake_x, ips=50000000
ata0-master: type=cdrom, path=$tmp/boot.iso, status=inserted
boot: cdrom
display_library: term
com1: enabled=1, mode=file, dev=$tmp/serial
log: $tmp/log
clock: sync=none
END
echo c >"$tmp/continue" # Debian's Bochs starts in its debugger
TERM=xterm timeout 1500 script -qefc "bochs -q -f $tmp/bochsrc -rc $tmp/continue" /dev/null >"$tmp/screen" 2>&1 </dev/null &
# Bochs draws its screen on a terminal of its own, and stops for good when that is full: it is read.
while kill -0 $! 2>/dev/null; do
	screen=$(sed -nE 's/.*connected to screen "([^"]*)".*/\1/p' "$tmp/screen")
	[ -n "$screen" ] && cat "$screen" >/dev/null 2>&1 || true
	sleep 0.2
done
wait $! || true
tr -d '\r' <"$tmp/serial" >"$tmp/output"
cat "$tmp/output"
grep -qx 'exit code 0' "$tmp/output"
grep -q 'PASS: TestTrainingIsReproducible/avx512' "$tmp/output" # and with the instructions that were asked for
