package pipeline

import "github.com/hashicorp/hcl/v2"

// fileBlocks describes what stands at the top of a file. Bodies of executors depend on their kind, those of modules on
// the module.
type fileBlocks struct {
	Variables []variableArguments `hcl:"variable,block" doc:"a value that the command line, a file of variables or the environment may set: var.name"`
	Locals    []localsArguments   `hcl:"locals,block" doc:"named expressions, name = value, read as local.name; may stand in a pipeline too"`
	Pipelines []pipelineArguments `hcl:"pipeline,block" doc:"stages that run together: blocks kind \"name\" { ... }, and locals"`
	Modules   []moduleArguments   `hcl:"module,block" doc:"in a pipeline or a module: the stages of another folder, whose variables are set here and whose outputs are read as module.name.output"`
	Executors []executorArguments `hcl:"executor,block" doc:"settings of a place to run stages at; its label is the kind of executor"`
	Outputs   []outputArguments   `hcl:"output,block" doc:"at the top of a module's files: a value that its user reads as module.name.output"`
}

type variableArguments struct {
	Name        string         `hcl:"name,label"`
	Type        hcl.Expression `hcl:"type,optional" type:"type" doc:"string, number, bool, list(number), map(string), object({...}) and so on; any value, where there is none"`
	Fallback    hcl.Expression `hcl:"default,optional" type:"any" doc:"its value where nobody sets it; without one, it must be set"`
	Nullable    bool           `hcl:"nullable,optional" doc:"false: null stands for the default"`
	Description string         `hcl:"description,optional" doc:"what it is for"`
	Validation  []validation   `hcl:"validation,block" doc:"a rule that its value must meet"`
}

// Default returns what a variable block says where it says nothing.
func (variableArguments) Default() variableArguments { return variableArguments{Nullable: true} }

type validation struct {
	Condition    hcl.Expression `hcl:"condition" type:"bool" doc:"true for the values that will do"`
	ErrorMessage hcl.Expression `hcl:"error_message" type:"string" doc:"what to say about others"`
}

type localsArguments struct{}

type pipelineArguments struct {
	Name string `hcl:"name,label"`
}

type moduleArguments struct {
	Name   string `hcl:"name,label"`
	Source string `hcl:"source" doc:"the folder, relative to this one: ./study. The other attributes are its variables"`
}

type executorArguments struct {
	Kind string `hcl:"kind,label"`
}

type outputArguments struct {
	Name        string         `hcl:"name,label"`
	Value       hcl.Expression `hcl:"value" type:"any" doc:"what it is"`
	Description string         `hcl:"description,optional" doc:"what it is for"`
}

// stageArguments describes what a block of any kind takes besides its kind's own. None of it can change what the stage
// makes, so none enters a key.
type stageArguments struct {
	ForEach   hcl.Expression `hcl:"for_each,optional" key:"-" type:"any" doc:"one stage for each element: a grid or another sweep, a swept block, a map, or a set of strings"`
	Enabled   bool           `hcl:"enabled,optional" key:"-" doc:"false leaves the stage out; what reads its outputs is to be left out too, or to guard the reference by try"`
	Executor  string         `hcl:"executor,optional" key:"-" doc:"where it runs: local, or a kind of executor"`
	Retry     int            `hcl:"retry,optional" key:"-" doc:"further attempts after one that failed"`
	Timeout   string         `hcl:"timeout,optional" key:"-" doc:"of one attempt, such as 90m or 2h; none, where it is left out"`
	OnFailure string         `hcl:"on_failure,optional" key:"-" values:"skip,stop,ignore" doc:"skip what needs the stage and go on; stop: start nothing new; ignore: as skip, and the run counts as a success"`
	Keep      string         `hcl:"keep,optional" key:"-" doc:"how long artifacts that are folders, such as weights, stay unused before gc may drop them, such as 7d; for good, where it is left out"`
	Resources *resources     `hcl:"resources,block" key:"-" doc:"what it occupies while it runs"`
}

type resources struct {
	Cores  int    `hcl:"cores,optional" key:"-" doc:"0: a share of those that are free"`
	Memory string `hcl:"memory,optional" key:"-" doc:"of the machine, such as 4GiB or 500MB"`
	GPUs   int    `hcl:"gpus,optional" key:"-" doc:"of the machine, for itself alone"`
}

func defaultStageArguments() stageArguments {
	return stageArguments{Enabled: true, Executor: "local", OnFailure: SkipDependents}
}
