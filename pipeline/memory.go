package pipeline

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"unicode"
)

// parseMemory reads an amount of memory: 512MB, 32 GB, 1.5GiB. The error completes a sentence that starts with the field.
func parseMemory(text string) (int64, error) {
	units := map[string]float64{"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
	end := strings.IndexFunc(text, unicode.IsLetter)
	if end > 0 {
		n, err := strconv.ParseFloat(strings.TrimSpace(text[:end]), 64)
		if unit := units[text[end:]]; err == nil && unit > 0 && n >= 0 && n*unit < 1<<62 {
			return int64(n * unit), nil
		}
	}
	return 0, fmt.Errorf("must be an amount of memory such as 512MB, 32GB or 1.5GiB, is %q", text)
}

// machineMemory is how many bytes of memory the machine has, or the container in which this runs; 0 where that is unknown.
func machineMemory() int64 {
	total := int64(0)
	if f, err := os.Open("/proc/meminfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if kilobytes, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
				n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(kilobytes, "kB")), 10, 64)
				total = n << 10
			}
		}
	} else if out, err := exec.Command("sysctl", "-n", "hw.memsize").Output(); err == nil {
		total, _ = strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	}
	if most, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(most)), 10, 64); err == nil && n > 0 {
			total = min(total, n)
		}
	}
	return total
}
