package artifacts

// SampleRow is one answer of a model to one example's prompt: a row of a "samples" artifact. It holds all that scoring needs, other ways to
// extract answers included. Log-probabilities are the model's, before penalty and temperature, natural logarithms summed over tokens, the stop
// string's among them.
type SampleRow struct {
	Split                   string   `parquet:"split"`   // validation | test
	Example                 int64    `parquet:"example"` // row of the examples artifact
	Shots                   int64    `parquet:"shots"`   // demonstrations at the head of the prompt
	Sample                  int64    `parquet:"sample"`  // 0: greedy; from 1: drawn
	Greedy                  bool     `parquet:"greedy"`
	Prompt                  string   `parquet:"prompt"` // with its demonstrations
	Reference               string   `parquet:"reference"`
	Answer                  string   `parquet:"answer"`
	Stop                    string   `parquet:"stop"`
	Response                string   `parquet:"response"` // bytes that are not UTF-8 as U+FFFD
	Stopped                 bool     `parquet:"stopped"`  // the stop string is there; otherwise a limit ended the response
	Extracted               string   `parquet:"extracted"`
	Correct                 bool     `parquet:"correct"` // Extracted is Answer, to the byte
	LogProbability          float64  `parquet:"log_probability"`
	Tokens                  int64    `parquet:"tokens"`
	ReferenceLogProbability float64  `parquet:"reference_log_probability"`
	ReferenceTokens         int64    `parquet:"reference_tokens"`
	Reward                  *float64 `parquet:"reward"` // null: no reward model has scored it
}
