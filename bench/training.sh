#!/usr/bin/env bash
# bench/training.sh [ROUNDS]: how fast are the matrix product, training and the tokenizer, against what the machine can do
# and against PyTorch? Ours and theirs take turns, so that other load falls on both; the table has medians.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
out=$PWD/bench/out
rm -rf "$out" && mkdir -p "$out"

# PyTorch of Debian is built for /usr/bin/python3, whichever python3 the PATH names first. With the reference BLAS it
# would be ten times slower: OpenBLAS is the fair opponent.
python=/usr/bin/python3
torch() { [ -x $python ] && $python -c 'import torch' 2>/dev/null; }
if ! torch && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "installing python3-torch with OpenBLAS" >&2
	{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-torch libopenblas0-pthread; } >$out/apt.log 2>&1 ||
		echo "could not install it, see $out/apt.log" >&2
fi
torch || echo "no PyTorch for $python: ours alone" >&2

go test -c -o $out/kernel.test ./lm/kernel
go test -c -o $out/lm.test ./lm
go test -c -o $out/bpe.test ./lm/bpe
gcc -O2 -march=native bench/fma_peak.c -o $out/fma_peak 2>/dev/null || echo "no gcc, or no FMA unit known to bench/fma_peak.c: no peak" >&2

# measure NAME FILE COMMAND... appends to FILE; a failure is said and not fatal.
measure() {
	local name=$1 file=$2
	shift 2
	echo "$name" >&2
	timeout 300 "$@" >>"$file" 2>>$out/errors.log || echo "$name failed or took over 300 s, see $out/errors.log" >&2
}
for round in $(seq "$rounds"); do
	[ ! -x $out/fma_peak ] || measure "round $round: fma peak" $out/peak.txt $out/fma_peak
	# By its CPU time, as the peak is: 100 products of 2·1024³ operations; filling the matrices is 1 % of it.
	measure "round $round: product" $out/product.txt bash -c "TIMEFORMAT='%U %S'; { time $out/kernel.test -test.run '^$' -test.bench Product/NN1024 -test.benchtime 100x -test.cpu 1 >/dev/null; } 2>&1"
	for cores in 1 2; do
		measure "round $round: ours, $cores cores" $out/ours.txt $out/lm.test -test.run '^$' -test.bench "Train/(tiny|small)/cores=$cores\$" -test.benchtime 30x
		if torch; then
			measure "round $round: PyTorch, $cores threads" $out/torch.txt env OMP_NUM_THREADS=$cores OPENBLAS_NUM_THREADS=$cores $python bench/torch_train.py $cores tiny small
		fi
	done
	(cd lm/bpe && measure "round $round: tokenizer" $out/bpe.txt $out/bpe.test -test.run '^$' -test.bench '(Train|Encode)/4096$' -test.cpu 1)
done

echo
echo "$(go version | cut -d' ' -f3,4), $(nproc) cores of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), load $(cut -d' ' -f1-3 /proc/loadavg)"
awk -v out=$out '
	function add(key, x) { n[key]++; v[key, n[key]] = x }
	# median sorts the few values of a key by insertion.
	function median(key,   i, j, x) {
		if (!n[key]) return 0
		for (i = 2; i <= n[key]; i++) {
			x = v[key, i]
			for (j = i - 1; j > 0 && v[key, j] > x; j--) v[key, j+1] = v[key, j]
			v[key, j+1] = x
		}
		i = int((n[key] + 1) / 2)
		return n[key] % 2 ? v[key, i] : (v[key, i] + v[key, i+1]) / 2
	}
	function value(unit,   i) { for (i = 2; i <= NF; i++) if ($i == unit) return $(i-1) }
	function field(name,   s) { s = $0; if (!sub(".*\"" name "\": \"?", "", s)) return ""; sub("[\",}].*", "", s); return s }
	FILENAME ~ /peak/ { add("peak", field("fma_peak_gflops")) }
	FILENAME ~ /product/ { add("product", 2 * 1.024 ^ 3 * 100 / ($1 + $2)) }
	FILENAME ~ /bpe/ && /^Benchmark/ { sub(/^Benchmark/, "", $1); sub(/-[0-9]+$/, "", $1); add("bpe " $1, value("MB/s")) }
	FILENAME ~ /ours/ && /^Benchmark/ {
		split($1, part, "/"); cores = part[3]; gsub(/cores=|-.*/, "", cores)
		key = part[2] " " cores; add("ours " key, value("tokens/s")); add("ourcpu " key, value("tokens/cpu-s"))
	}
	FILENAME ~ /torch/ { key = field("size") " " field("threads"); add("torch " key, field("tokens_per_second")); add("torchcpu " key, field("tokens_per_cpu_second")) }
	END {
		p = median("peak"); q = median("product")
		printf "\nGFLOP/s of one core: peak %.1f, our product of 1024×1024×1024 %.1f%s\n", p, q, p ? sprintf(" (%.0f %%)", 100*q/p) : ""
		printf "\n%-6s %-7s %15s %15s %6s   %15s %15s %6s\n", "size", "threads", "ours tokens/s", "torch tokens/s", "ratio", "ours /cpu-s", "torch /cpu-s", "ratio"
		for (s = 1; s <= 2; s++) for (c = 1; c <= 2; c++) {
			key = (s == 1 ? "tiny" : "small") " " c
			a = median("ours " key); b = median("torch " key); d = median("ourcpu " key); e = median("torchcpu " key)
			if (a > ours[s]) ours[s] = a
			if (b > theirs[s]) theirs[s] = b
			printf "%-6s %-7d %15.0f %15.0f %6s   %15.0f %15.0f %6s\n", (s == 1 ? "tiny" : "small"), c, a, b, b ? sprintf("%.2f", a/b) : "-", d, e, e ? sprintf("%.2f", d/e) : "-"
		}
		# Small models can be slower with two threads than with one: each engine at its best.
		if (theirs[1] && theirs[2]) printf "\nat the better of 1 and 2 threads: tiny %.2f, small %.2f times PyTorch\n", ours[1] / theirs[1], ours[2] / theirs[2]
		printf "\nbyte-level BPE with 4096 tokens, one core: training %.2f MB/s, encoding %.2f MB/s\n", median("bpe Train/4096"), median("bpe Encode/4096")
	}
' $(ls $out/*.txt)
