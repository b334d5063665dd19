module anneal/interop/tiktoken

go 1.26.0

require (
	anneal v0.0.0
	github.com/dlclark/regexp2/v2 v2.5.1
	github.com/tiktoken-go/tokenizer v0.10.0
)

replace anneal => ../..
