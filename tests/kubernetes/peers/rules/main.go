// Command rules answers what upstream's API server says of a definition's rules, and of objects.
//
// Standard input: one JSON object per line, {"schema": openAPIV3Schema, "new": object, "old": object
// or absent}. Standard output, one line each: {"definition": [cause, ...]} where the definition is
// refused, else {"causes": [cause, ...], "cost": n} of the object, with the field, the message and
// the reason of each cause.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/common"
)

type question struct {
	Schema v1.JSONSchemaProps `json:"schema"`
	New    json.RawMessage    `json:"new"`
	Old    json.RawMessage    `json:"old"`
}

type cause struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
}

type answer struct {
	Definition []cause `json:"definition,omitempty"`
	Causes     []cause `json:"causes"`
	Cost       int64   `json:"cost"`
}

func causes(errs field.ErrorList) []cause {
	told := []cause{}
	for _, err := range errs {
		name := err.Field
		if name == "<nil>" {
			name = ""
		}
		told = append(told, cause{name, err.ErrorBody(), string(err.Type)})
	}
	return told
}

func definition(written v1.JSONSchemaProps) *apiextensions.CustomResourceDefinition {
	crd := &v1.CustomResourceDefinition{
		Spec: v1.CustomResourceDefinitionSpec{
			Group: "example.com",
			Scope: v1.NamespaceScoped,
			Names: v1.CustomResourceDefinitionNames{
				Plural: "things", Singular: "thing", Kind: "Thing", ListKind: "ThingList",
			},
			Versions: []v1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &v1.CustomResourceValidation{OpenAPIV3Schema: &written},
			}},
		},
	}
	crd.Name = "things.example.com"
	v1.SetDefaults_CustomResourceDefinition(crd)
	v1.SetDefaults_CustomResourceDefinitionSpec(&crd.Spec)
	crd.Status.StoredVersions = []string{"v1"}
	scheme := runtime.NewScheme()
	if err := v1.AddToScheme(scheme); err != nil {
		panic(err)
	}
	internal := &apiextensions.CustomResourceDefinition{}
	if err := v1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(crd, internal, nil); err != nil {
		panic(err)
	}
	return internal
}

func object(raw json.RawMessage) (value interface{}) {
	if len(raw) == 0 {
		return nil
	}
	var read map[string]interface{}
	if err := utiljson.Unmarshal(raw, &read); err != nil {
		panic(err)
	}
	return read
}

func ask(q question) answer {
	ctx := context.Background()
	crd := definition(q.Schema)
	if errs := validation.ValidateCustomResourceDefinition(ctx, crd); len(errs) > 0 {
		return answer{Definition: causes(errs)}
	}
	written, err := apiextensions.GetSchemaForVersion(crd, "v1")
	if err != nil {
		panic(err)
	}
	structural, err := schema.NewStructural(written.OpenAPIV3Schema)
	if err != nil {
		panic(err)
	}
	validator := cel.NewValidator(structural, true, celconfig.PerCallLimit)
	made, old := object(q.New), object(q.Old)
	var options []cel.Option
	if old != nil {
		correlated := common.NewCorrelatedObject(made, old, &model.Structural{Structural: structural})
		options = append(options, cel.WithRatcheting(correlated))
	}
	budget := int64(celconfig.RuntimeCELCostBudget)
	errs, left := validator.Validate(ctx, nil, structural, made, old, budget, options...)
	return answer{Causes: causes(errs), Cost: budget - left}
}

func main() {
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
