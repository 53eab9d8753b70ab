package main

import (
	"context"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// job is a script with its modules, and the object that it is run on.
type job struct {
	text    string
	modules map[string]string
	object  map[string]any
}

// compiled is the bytecode of one script and of each of its modules.
type compiled struct {
	script  *lua.FunctionProto
	modules map[string]*lua.FunctionProto
}

func newJob(text string, modules map[string]string, object map[string]any) *job {
	return &job{text: text, modules: modules, object: object}
}

func (j *job) compileAll() (*compiled, error) {
	script, err := compileText(j.text, "script")
	if err != nil {
		return nil, err
	}
	modules := make(map[string]*lua.FunctionProto, len(j.modules))
	for name, text := range j.modules {
		if modules[name], err = compileText(text, name); err != nil {
			return nil, err
		}
	}
	return &compiled{script: script, modules: modules}, nil
}

func compileText(text, name string) (*lua.FunctionProto, error) {
	chunk, err := parse.Parse(strings.NewReader(text), name)
	if err != nil {
		return nil, err
	}
	return lua.Compile(chunk, name)
}

// The libraries that Kruise's manager opens, and `package`, which holds the table that require looks modules up in.
var libraries = []struct {
	name string
	open lua.LGFunction
}{
	{lua.LoadLibName, lua.OpenPackage},
	{lua.BaseLibName, lua.OpenBase},
	{lua.MathLibName, lua.OpenMath},
	{lua.TabLibName, lua.OpenTable},
	{lua.StringLibName, lua.OpenString},
}

// The manager stops a script by its context, after one second. What that costs is the context, not the second; a busy
// machine may take longer.
const limit = time.Minute

// call is the work of one rewrite, from an object to an object.
func (j *job) call(compile func() (*compiled, error)) (any, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	ended, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	state.SetContext(ended)
	for _, library := range libraries {
		state.Push(state.NewFunction(library.open))
		state.Push(lua.LString(library.name))
		if err := state.PCall(1, 0, nil); err != nil {
			return nil, err
		}
	}
	code, err := compile()
	if err != nil {
		return nil, err
	}
	for name, module := range code.modules {
		preload(state, name, module)
	}
	state.SetGlobal("obj", toLua(state, j.object))
	state.Push(state.NewFunctionFromProto(code.script))
	if err := state.PCall(0, 1, nil); err != nil {
		return nil, err
	}
	return fromLua(state.Get(-1))
}

func preload(state *lua.LState, name string, module *lua.FunctionProto) {
	state.PreloadModule(name, func(state *lua.LState) int {
		state.Push(state.NewFunctionFromProto(module))
		state.Push(lua.LString(name))
		state.Call(1, 1)
		return 1
	})
}
