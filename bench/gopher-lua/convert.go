package main

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// toLua converts a decoded JSON value, whole and at once: maps and lists become tables, null is absent.
func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.CreateTable(len(value), 0)
		for _, item := range value {
			if item != nil {
				table.Append(toLua(state, item))
			}
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, member := range value {
			if member != nil {
				table.RawSetString(key, toLua(state, member))
			}
		}
		return table
	default:
		return lua.LNil
	}
}

// fromLua converts a result back: a table with number keys is a list, with string keys a map, an empty one null.
func fromLua(value lua.LValue) (any, error) {
	switch value := value.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(value), nil
	case lua.LNumber:
		return float64(value), nil
	case lua.LString:
		return string(value), nil
	case *lua.LTable:
		return fromTable(value)
	default:
		return nil, fmt.Errorf("a %s is no JSON", value.Type())
	}
}

func fromTable(table *lua.LTable) (any, error) {
	first, _ := table.Next(lua.LNil)
	switch first.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LNumber:
		return fromList(table)
	default:
		return fromMap(table)
	}
}

func fromList(table *lua.LTable) ([]any, error) {
	list := make([]any, 0, table.Len())
	for key, value := table.Next(lua.LNil); key != lua.LNil; key, value = table.Next(key) {
		if key != lua.LNumber(len(list)+1) {
			return nil, fmt.Errorf("a list has the key %s after %d items", key, len(list))
		}
		item, err := fromLua(value)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

func fromMap(table *lua.LTable) (map[string]any, error) {
	members := make(map[string]any)
	for key, value := table.Next(lua.LNil); key != lua.LNil; key, value = table.Next(key) {
		name, isString := key.(lua.LString)
		if !isString {
			return nil, fmt.Errorf("a map has the key %s, which is no string", key)
		}
		member, err := fromLua(value)
		if err != nil {
			return nil, err
		}
		members[string(name)] = member
	}
	return members, nil
}
