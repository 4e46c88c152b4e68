// Upstream's own serializers, for a comparison with ours: lines of JSON in and out.
//
// {"json": OBJECT}      -> {"protobuf": base64}  as a client of upstream's sends it
// {"protobuf": base64}  -> {"json": OBJECT}      as it reads our answer
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"

	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

type line struct {
	JSON     json.RawMessage `json:"json,omitempty"`
	Protobuf []byte          `json:"protobuf,omitempty"`
	Error    string          `json:"error,omitempty"`
}

func main() {
	text := jsonserializer.NewSerializerWithOptions(
		jsonserializer.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, jsonserializer.SerializerOptions{})
	binary := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var asked, answer line
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			panic(err)
		}
		var made bytes.Buffer
		if asked.JSON != nil {
			object, kind, err := text.Decode(asked.JSON, nil, nil)
			if err == nil {
				object.GetObjectKind().SetGroupVersionKind(*kind)
				err = binary.Encode(object, &made)
			}
			if answer.Protobuf = made.Bytes(); err != nil {
				answer = line{Error: err.Error()}
			}
		} else {
			object, kind, err := binary.Decode(asked.Protobuf, nil, nil)
			if err == nil {
				object.GetObjectKind().SetGroupVersionKind(*kind)
				err = text.Encode(object, &made)
			}
			if answer.JSON = made.Bytes(); err != nil {
				answer = line{Error: err.Error()}
			}
		}
		if err := out.Encode(answer); err != nil {
			panic(err)
		}
	}
}
