.PHONY: demo test check bench golden reference

demo: # a few minutes on two cores; then open results/demo/report.html
	go run . run demo

test:
	go test ./...

check:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "these files want gofmt"; exit 1; }
	go mod tidy -diff
	go vet ./...
	GOOS=linux GOARCH=arm64 go build ./...
	GOOS=darwin GOARCH=arm64 go build ./...
	go test ./...
	go test -tags crossbuild -run TestNothingIsFused ./lm

bench: # against make, ninja, Snakemake, PyTorch, tiktoken and the machine's peak; installs what it can of them; see docs/speed.md
	bench/graph.py
	bench/training.py
	bench/data.py
	bench/tokenize.py

reference: # docs/reference/, from the code; after a change of kinds, attributes, functions or commands
	go run . schema --markdown docs/reference

# Writes the digests that the golden tests found in place of those they want. Raise the Version of each kind concerned
# (or lm's Numbers) in the same commit, or stores keep answering with the old bytes. Run on amd64: some digests are its own.
golden:
	go test -run 'Golden|Reproducible' ./lm ./stages/... | sed -nE 's/.*(is|digest) ([0-9a-f]{16}), want ([0-9a-f]{16})$$/s,\3,\2,/p' | sort -u >.golden.sed
	grep -rlE '"[0-9a-f]{16}"' --include=*_test.go lm stages | xargs sed -i -f .golden.sed
	@rm .golden.sed
	go test -run 'Golden|Reproducible' ./lm ./stages/...
