package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"anneal/pipeline"
)

func (c *command) fmt() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fmt [FILE|DIR...]",
		Short: "Format pipeline files: those of the folder, or those named",
		Long:  `Lay pipeline files out: those named, or else those of the folder and its modules. - formats standard input.`,
		Args:  cobra.ArbitraryArgs,
	}
	check := cmd.Flags().Bool("check", false, "change nothing; list what would change, and exit 1 if there is any")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if slices.Equal(args, []string{"-"}) {
			return c.formatInput(cmd.InOrStdin(), *check)
		}
		if len(args) == 0 {
			args = []string{c.file}
		}
		var paths []string
		for _, arg := range args {
			info, err := os.Stat(arg)
			switch {
			case err != nil:
				return usagef("%w", err)
			case !info.IsDir():
				paths = append(paths, filepath.Clean(arg))
			default:
				files, err := pipeline.StudyFiles(arg)
				if err != nil {
					return err
				}
				paths = append(paths, files...)
			}
		}
		slices.Sort(paths)
		changed, broken := false, false
		for _, path := range slices.Compact(paths) {
			was, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			formatted, err := pipeline.Format(was, path)
			var invalid *pipeline.InvalidError
			if errors.As(err, &invalid) { // left alone; the others are for formatting all the same
				broken = true
				invalid.Print(c.stderr, c.width(), c.color(c.stderr))
				continue
			}
			if string(formatted) == string(was) {
				continue
			}
			changed = true
			fmt.Fprintln(c.stdout, path)
			if !*check {
				if err := replaceFile(path, formatted); err != nil {
					return err
				}
			}
		}
		if broken {
			return exit(exitInvalid)
		}
		if changed && *check {
			return exit(exitFailed)
		}
		return nil
	}
	return cmd
}

func (c *command) formatInput(in io.Reader, check bool) error {
	was, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	formatted, err := pipeline.Format(was, "-")
	if err != nil {
		return err
	}
	if !check {
		_, err = c.stdout.Write(formatted)
		return err
	}
	if string(formatted) != string(was) {
		return exit(exitFailed)
	}
	return nil
}

// replaceFile puts text in the place of a file, whole or not at all, with the file's permissions. Behind a link, the
// file it leads to is replaced.
func replaceFile(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(info.Mode()), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
