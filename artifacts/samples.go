package artifacts

// SampleRow is one answer of a model to one example's prompt: a row of a "samples" artifact. It holds all that scoring needs, other ways to
// extract answers included. Log-probabilities are the model's, before penalty and temperature, natural logarithms summed over tokens, the stop
// string's among them.
type SampleRow struct {
	Split                   string   `parquet:"split" doc:"validation or test"`
	Example                 int64    `parquet:"example" unit:"index" doc:"row of the examples artifact"`
	Shots                   int64    `parquet:"shots" unit:"examples" doc:"demonstrations at the head of the prompt"`
	Sample                  int64    `parquet:"sample" unit:"index" doc:"0: greedy; from 1: drawn"`
	Greedy                  bool     `parquet:"greedy" doc:"by the likeliest token each time"`
	Prompt                  string   `parquet:"prompt" doc:"what the model read, with its demonstrations"`
	Reference               string   `parquet:"reference" doc:"what it was to write"`
	Answer                  string   `parquet:"answer" doc:"what is compared"`
	Stop                    string   `parquet:"stop" doc:"the string that ends a response"`
	Response                string   `parquet:"response" doc:"what it wrote; bytes that are not UTF-8 as U+FFFD"`
	Stopped                 bool     `parquet:"stopped" doc:"the stop string is there; otherwise a limit ended the response"`
	Extracted               string   `parquet:"extracted" doc:"what the example's rule finds in response"`
	Correct                 bool     `parquet:"correct" doc:"extracted is answer, to the byte"`
	LogProbability          float64  `parquet:"log_probability" unit:"nats" doc:"Σ ln p of the response"`
	Tokens                  int64    `parquet:"tokens" unit:"tokens" doc:"of the response"`
	ReferenceLogProbability float64  `parquet:"reference_log_probability" unit:"nats" doc:"Σ ln p of the reference, given the prompt"`
	ReferenceTokens         int64    `parquet:"reference_tokens" unit:"tokens" doc:"of the reference"`
	Reward                  *float64 `parquet:"reward" unit:"log-odds" null:"no reward model has scored it" doc:"what a reward model says of the response"`
}
