// Command allocate answers allocation cases, one JSON object per line, with upstream's allocator:
// the peer that `mizzen allocate` is compared with.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/dynamic-resource-allocation/cel"
	"k8s.io/dynamic-resource-allocation/structured"
)

// patience is how long one case may take: the search is exponential.
const patience = 5 * time.Second

type testCase struct {
	Claims            []*resourceapi.ResourceClaim                               `json:"claims"`
	Classes           []*resourceapi.DeviceClass                                 `json:"classes"`
	Slices            []*resourceapi.ResourceSlice                               `json:"slices"`
	Node              v1.Node                                                    `json:"node"`
	Features          []string                                                   `json:"features"`
	AllocatedDevices  []string                                                   `json:"allocatedDevices"`
	AllocatedShared   []string                                                   `json:"allocatedShared"`
	AllocatedCapacity map[string]map[resourceapi.QualifiedName]resource.Quantity `json:"allocatedCapacity"`
}

type classes []*resourceapi.DeviceClass

func (c classes) List() ([]*resourceapi.DeviceClass, error) { return c, nil }

func (c classes) Get(name string) (*resourceapi.DeviceClass, error) {
	for _, class := range c {
		if class.Name == name {
			return class, nil
		}
	}
	return nil, fmt.Errorf("DeviceClass %q not found", name)
}

func features(names []string) structured.Features {
	on := sets.New[string]()
	for _, name := range names {
		on.Insert(strings.Split(name, "+")...)
	}
	return structured.Features{
		AdminAccess:            true, // GA in 1.36
		PrioritizedList:        true, // GA in 1.36
		ConsumableCapacity:     on.Has("DRAConsumableCapacity"),
		DeviceBindingAndStatus: on.HasAll("DRADeviceBindingConditions", "DRAResourceClaimDeviceStatus"),
		DeviceTaints:           on.Has("DRADeviceTaints"),
		ListTypeAttributes:     on.Has("DRAListTypeAttributes"),
		PartitionableDevices:   on.Has("DRAPartitionableDevices"),
	}
}

func deviceID(text string) (structured.DeviceID, string, error) {
	parts := strings.SplitN(text, "/", 4)
	if len(parts) < 3 {
		return structured.DeviceID{}, "", fmt.Errorf("%q is not driver/pool/device", text)
	}
	rest := ""
	if len(parts) == 4 {
		rest = parts[3]
	}
	return structured.MakeDeviceID(parts[0], parts[1], parts[2]), rest, nil
}

func allocated(c *testCase) (structured.AllocatedState, error) {
	state := structured.AllocatedState{
		AllocatedDevices:         sets.New[structured.DeviceID](),
		AllocatedSharedDeviceIDs: sets.New[structured.SharedDeviceID](),
		AggregatedCapacity:       structured.NewConsumedCapacityCollection(),
	}
	for _, text := range c.AllocatedDevices {
		id, _, err := deviceID(text)
		if err != nil {
			return state, err
		}
		state.AllocatedDevices.Insert(id)
	}
	for _, text := range c.AllocatedShared {
		id, share, err := deviceID(text)
		if err != nil {
			return state, err
		}
		uid := types.UID(share)
		state.AllocatedSharedDeviceIDs.Insert(structured.MakeSharedDeviceID(id, &uid))
	}
	for text, amounts := range c.AllocatedCapacity {
		id, _, err := deviceID(text)
		if err != nil {
			return state, err
		}
		state.AggregatedCapacity.Insert(structured.NewDeviceConsumedCapacity(id, amounts))
	}
	return state, nil
}

func answer(line []byte) (results []resourceapi.AllocationResult, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			results, err = nil, fmt.Errorf("panic: %v", panicked)
		}
	}()
	var c testCase
	if err := json.Unmarshal(line, &c); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	state, err := allocated(&c)
	if err != nil {
		return nil, err
	}
	on := features(c.Features)
	cache := cel.NewCache(10, cel.Features{
		EnableConsumableCapacity: on.ConsumableCapacity,
		EnableListTypeAttributes: on.ListTypeAttributes,
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	allocator, err := structured.NewAllocator(ctx, on, state, classes(c.Classes), c.Slices, cache)
	if err != nil {
		return nil, err
	}
	return allocator.Allocate(ctx, &c.Node, c.Claims)
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<26)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		results, err := answer(in.Bytes())
		reply := map[string]any{"results": results}
		if err != nil {
			reply = map[string]any{"error": err.Error()}
			if errors.Is(err, context.DeadlineExceeded) {
				reply["tooLong"] = true
			}
		}
		encoded, err := json.Marshal(reply)
		if err != nil {
			encoded = []byte(fmt.Sprintf(`{"error": %q}`, err.Error()))
		}
		out.Write(encoded)
		out.WriteByte('\n')
		out.Flush()
	}
}
