// Measures what a Lua rewrite costs in the way of Kruise's manager: a new state for each call, its libraries opened, the
// script and its modules compiled, the object converted to Lua, the script run, its result converted back.
//
// It reads one JSON command from each line of its input and answers each with one line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"time"
)

// command is one line of input. With Object it loads a job and runs it once, so that its result can be compared; without,
// it measures the job that is loaded.
type command struct {
	Text    string            `json:"text"`
	Modules map[string]string `json:"modules"`
	Object  map[string]any    `json:"object"`

	// Iterations is how many calls to measure.
	Iterations int `json:"iterations"`
	// Compiled leaves compiling out of what is measured.
	Compiled bool `json:"compiled"`
}

// answer is one line of output: Result after loading, Nanoseconds (for all iterations) after measuring.
type answer struct {
	Result      any   `json:"result,omitempty"`
	Nanoseconds int64 `json:"nanoseconds,omitempty"`
}

// The heap of a manager that watches a cluster is large, hence its collector runs seldom. With the few KiB that live
// here, it would run several times in each call, and this program would look three times as slow as the manager is.
const liveHeap = 128 << 20

func main() {
	heap := make([]byte, liveHeap)
	defer runtime.KeepAlive(heap)
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	commands := json.NewDecoder(bufio.NewReader(os.Stdin))
	answers := json.NewEncoder(os.Stdout)
	var loaded *job
	for commands.More() {
		var next command
		if err := commands.Decode(&next); err != nil {
			return err
		}
		var reply answer
		if next.Object != nil {
			loaded = newJob(next.Text, next.Modules, next.Object)
			result, err := loaded.call(loaded.compileAll)
			if err != nil {
				return err
			}
			reply.Result = result
		} else {
			elapsed, err := measure(loaded, next)
			if err != nil {
				return err
			}
			reply.Nanoseconds = elapsed.Nanoseconds()
		}
		if err := answers.Encode(reply); err != nil {
			return err
		}
	}
	return nil
}

func measure(loaded *job, next command) (time.Duration, error) {
	if loaded == nil {
		return 0, fmt.Errorf("nothing is loaded to be measured")
	}
	compile := loaded.compileAll
	if next.Compiled {
		prepared, err := loaded.compileAll()
		if err != nil {
			return 0, err
		}
		compile = func() (*compiled, error) { return prepared, nil }
	}
	started := time.Now()
	for range next.Iterations {
		if _, err := loaded.call(compile); err != nil {
			return 0, err
		}
	}
	return time.Since(started), nil
}
