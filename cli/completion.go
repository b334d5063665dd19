package cli

import (
	_ "embed"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"anneal/pipeline"
)

// bashCompletion is ours: cobra's needs scripts that not every system has, and breaks addresses at their =.
//
//go:embed completion.bash
var bashCompletion []byte

func (c *command) completion() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print a script that completes what is typed in a shell",
		Long: `Print a script that completes commands, pipelines, addresses, runs and flags in a shell. To have it in every new
shell, put one of these lines into the shell's startup file:

  bash   source <(anneal completion bash)
  zsh    source <(anneal completion zsh)      # after compinit
  fish   anneal completion fish | source`,
		Example: "  source <(anneal completion bash)",
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch args[0] {
		case "bash":
			_, err := c.stdout.Write(bashCompletion)
			return err
		case "zsh":
			return cmd.Root().GenZshCompletion(c.stdout)
		case "fish":
			return cmd.Root().GenFishCompletion(c.stdout, true)
		}
		return usagef("completion takes bash, zsh or fish, not %s", args[0])
	}
	return cmd
}

// complete lets the shell complete a command's arguments and flags by their placeholders: what help prints as ADDR is
// an address, bash|zsh|fish one of these words.
func (c *command) complete(cmd *cobra.Command) {
	_, usage, _ := strings.Cut(cmd.Use, " ")
	usage, _, _ = strings.Cut(usage, "--") // flags that must be given
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		var here []string // placeholders of this argument
		for form := range strings.SplitSeq(usage, " | ") {
			words := strings.Fields(form)
			i, last := len(args), len(words)-1
			if i > last && last >= 0 && strings.Contains(words[last], "...") {
				i = last
			}
			if i <= last {
				here = append(here, strings.Trim(words[i], "[]."))
			}
		}
		return c.candidates(strings.Join(here, "|"), typed, args)
	}
	c.completeFlags(cmd, cmd.Flags())
}

func (c *command) completeFlags(cmd *cobra.Command, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		placeholder, _ := pflag.UnquoteUsage(f)
		if placeholder == "" || f.Value.Type() == "bool" {
			return
		}
		err := cmd.RegisterFlagCompletionFunc(f.Name, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return c.candidates(placeholder, typed, nil)
		})
		if err != nil {
			panic(err)
		}
	})
}

// candidates lists what may stand in a placeholder's place. Of a file that is wrong it lists what can be read, and it
// says nothing: nobody wants a diagnostic amid the line that they type.
func (c *command) candidates(placeholder, typed string, given []string) ([]string, cobra.ShellCompDirective) {
	if c.dir != "" && os.Chdir(c.dir) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	directive := cobra.ShellCompDirectiveNoFileComp
	for word := range strings.SplitSeq(placeholder, "|") {
		switch word, _, _ := strings.Cut(word, "["); word {
		case "PIPELINE":
			if config, err := c.load(); err == nil {
				all = append(all, config.Pipelines...)
			}
		case "ADDR":
			addresses := c.addresses(typed)
			if !strings.Contains(typed, "[") && len(addresses) > 0 {
				directive |= cobra.ShellCompDirectiveNoSpace // a point may follow
			}
			all = append(all, addresses...)
		case "RUN":
			all = append(all, c.runNames()...)
		case "KIND", "BLOCK", "FUNCTION":
			all = append(all, c.topics(word)...)
		case "DIR":
			directive |= cobra.ShellCompDirectiveFilterDirs
		case "FILE", "FILE.tar":
			directive &^= cobra.ShellCompDirectiveNoFileComp
		case "NAME=VALUE":
			all, directive = append(all, c.variables()...), directive|cobra.ShellCompDirectiveNoSpace
		default:
			if word == strings.ToLower(word) {
				all = append(all, word)
			}
		}
	}
	if directive&cobra.ShellCompDirectiveNoFileComp == 0 {
		directive &^= cobra.ShellCompDirectiveFilterDirs // where a file may stand, a folder is on the way to it
	}
	return slices.DeleteFunc(all, func(s string) bool { return !strings.HasPrefix(s, typed) || slices.Contains(given, s) }), directive
}

// addresses lists the blocks of the file's stages, and once one is spelled out up to its bracket the instances of it.
func (c *command) addresses(typed string) []string {
	config, err := c.load()
	if err != nil {
		return nil
	}
	names, prefix := config.Pipelines, ""
	if p, _, found := strings.Cut(typed, "/"); found && slices.Contains(names, p) {
		names, prefix = []string{p}, p+"/"
	}
	block, _, instances := strings.Cut(strings.TrimPrefix(typed, prefix), "[")
	var all []string
	add := func(addr string) {
		if addr = prefix + addr; !slices.Contains(all, addr) { // pipelines may share names
			all = append(all, addr)
		}
	}
	for _, name := range names {
		if !instances {
			for _, b := range config.Blocks(name) {
				add(b)
			}
			continue
		}
		if !slices.Contains(config.Blocks(name), block) {
			continue
		}
		graphs, err := config.Graphs([]string{name})
		if err != nil {
			continue
		}
		for _, n := range graphs[0].Nodes {
			if n.Block == block {
				add(n.Addr)
			}
		}
	}
	if prefix == "" && !instances && len(names) > 1 {
		for _, name := range names {
			all = append(all, name+"/")
		}
	}
	return all
}

// topics lists what schema describes.
func (c *command) topics(what string) []string {
	var all []string
	s := c.describe()
	switch what {
	case "KIND":
		for _, k := range s.Kinds {
			all = append(all, k.Name+"\t"+firstSentence(k.Description))
		}
	case "BLOCK":
		for _, b := range append(append(slices.Clone(s.Blocks), s.Stage), s.Executors...) {
			all = append(all, b.Name+"\t"+firstSentence(b.Description))
		}
	case "FUNCTION":
		for _, f := range s.Functions {
			all = append(all, f.Name+"\t"+firstSentence(f.Description))
		}
	}
	return all
}

// runNames lists the names of runs, then the ids of the newest ones.
func (c *command) runNames() []string {
	const newest = 20
	var names, ids []string
	for i, r := range pipeline.Runs(c.store()) {
		if r.Name != "" && !slices.Contains(names, r.Name) {
			names = append(names, r.Name+"\t"+r.Pipeline)
		}
		if i < newest {
			ids = append(ids, r.ID+"\t"+r.Pipeline)
		}
	}
	return append(append(names, "last"), ids...)
}

// variables lists the file's, each up to its value.
func (c *command) variables() []string {
	config, err := c.load()
	if err != nil {
		return nil
	}
	var all []string
	for _, name := range config.Variables() {
		all = append(all, name+"=")
	}
	return all
}
