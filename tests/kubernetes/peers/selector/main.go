// Command selector answers what upstream's device selectors answer.
//
// Standard input: one JSON object per line, {"expression", "device": {"driver", "attributes",
// "capacity", "allowMultipleAllocations"}, "features": ["DRAConsumableCapacity", ...]}; the device
// as in a ResourceSlice. Standard output, one line each: {"result": bool, "cost": n} or
// {"error": "...", "phase": "compile" | "runtime"}. With -declarations it prints the functions
// of the environment instead, one overload per line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/google/cel-go/cel"

	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apiserver/pkg/cel/environment"
	dracel "k8s.io/dynamic-resource-allocation/cel"
)

type device struct {
	Driver                   string                                                    `json:"driver"`
	Attributes               map[resourceapi.QualifiedName]resourceapi.DeviceAttribute `json:"attributes"`
	Capacity                 map[resourceapi.QualifiedName]resourceapi.DeviceCapacity  `json:"capacity"`
	AllowMultipleAllocations *bool                                                     `json:"allowMultipleAllocations"`
}

type question struct {
	Expression string   `json:"expression"`
	Device     device   `json:"device"`
	Features   []string `json:"features"`
	New        bool     `json:"new"`
}

type answer struct {
	Result *bool   `json:"result,omitempty"`
	Cost   *uint64 `json:"cost,omitempty"`
	Error  string  `json:"error,omitempty"`
	Phase  string  `json:"phase,omitempty"`
}

func features(names []string) dracel.Features {
	return dracel.Features{
		EnableConsumableCapacity: slices.Contains(names, "DRAConsumableCapacity"),
		EnableListTypeAttributes: slices.Contains(names, "DRAListTypeAttributes"),
	}
}

func ask(q question) (reply answer) {
	defer func() { // a panic of the library is a failed evaluation
		if r := recover(); r != nil {
			reply = answer{Error: fmt.Sprint(r), Phase: "runtime"}
		}
	}()
	options := dracel.Options{DisableCostEstimation: true}
	if q.New {
		envType := environment.NewExpressions
		options.EnvType = &envType
	}
	compiled := dracel.GetCompiler(features(q.Features)).CompileCELExpression(q.Expression, options)
	if compiled.Error != nil {
		return answer{Error: compiled.Error.Error(), Phase: "compile"}
	}
	matches, details, err := compiled.DeviceMatches(context.Background(), dracel.Device{
		Driver:                   q.Device.Driver,
		AllowMultipleAllocations: q.Device.AllowMultipleAllocations,
		Attributes:               q.Device.Attributes,
		Capacity:                 q.Device.Capacity,
	})
	var cost *uint64
	if details != nil {
		cost = details.ActualCost()
	}
	if err != nil {
		return answer{Error: err.Error(), Phase: "runtime", Cost: cost}
	}
	return answer{Result: &matches, Cost: cost}
}

func declarations() {
	all := features([]string{"DRAConsumableCapacity", "DRAListTypeAttributes"})
	compiled := dracel.GetCompiler(all).CompileCELExpression("true", dracel.Options{})
	var lines []string
	for name, function := range compiled.Environment.Functions() {
		if function.IsDeclarationDisabled() {
			continue
		}
		for index, overload := range function.OverloadDecls() {
			var args []string
			for _, arg := range overload.ArgTypes() {
				args = append(args, cel.FormatCELType(arg))
			}
			lines = append(lines, fmt.Sprintf("%s\t%02d\t%s\t%v\t%v\t(%s)\t%s", name, index, overload.ID(),
				overload.IsMemberFunction(), overload.IsNonStrict(), strings.Join(args, ", "), cel.FormatCELType(overload.ResultType())))
		}
	}
	sort.Strings(lines)
	fmt.Println(strings.Join(lines, "\n"))
	for _, variable := range compiled.Environment.Variables() {
		fmt.Printf("var %s %s\n", variable.Name(), cel.FormatCELType(variable.Type()))
	}
}

func main() {
	list := flag.Bool("declarations", false, "print the functions of the environment")
	flag.Parse()
	if *list {
		declarations()
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			fmt.Fprintln(os.Stderr, "a line is not a question:", err)
			os.Exit(2)
		}
		if err := out.Encode(ask(q)); err != nil {
			os.Exit(1)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
