// Load on a Kubernetes API server: one kind of request, many at once.
//
//	upstream-load -server URL -ca FILE -token TOKEN -do create|get|patch|apply|delete|list|watch ...
//
// It opens its connections, prints "ready", waits for a line on its input so that whoever started it
// can note what the server has used so far, and ends with one line of JSON: requests (or events),
// errors, seconds, latencies in milliseconds, bytes. TLS and HTTP/1.1, JSON, keep-alive.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	server      = flag.String("server", "", "the API server's URL")
	ca          = flag.String("ca", "", "file with its certificate authority")
	token       = flag.String("token", "", "bearer token")
	action      = flag.String("do", "get", "create, get, patch, apply, delete, list or watch")
	kind        = flag.String("kind", "pods", "pods or configmaps")
	namespace   = flag.String("namespace", "default", "of the objects")
	prefix      = flag.String("prefix", "load", "of the objects' names")
	count       = flag.Int("count", 1000, "requests; with watch: objects created")
	objects     = flag.Int("objects", 0, "get, patch, apply: the names go round over so many (count)")
	concurrency = flag.Int("concurrency", 64, "requests at once")
	watchers    = flag.Int("watchers", 100, "with watch: streams that hear of each object")
	distinct    = flag.Bool("distinct", false, "each pod has an image of its own: no two specs alike")
	rate        = flag.Float64("rate", 0, "with watch: objects a second; 0 is as fast as it goes")
)

const reconnectsMax = 50 // of one watcher

type report struct {
	Count   int     `json:"count"`
	Errors  int64   `json:"errors"`
	First   string  `json:"first_error,omitempty"`
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Bytes   int64   `json:"bytes"`
}

func main() {
	flag.Parse()
	client := newClient(*concurrency + *watchers)
	if *objects == 0 {
		*objects = *count
	}
	if *action == "watch" {
		emit(watch(client))
		return
	}
	open(client, *concurrency)
	wait()
	emit(requests(client, request))
}

func newClient(connections int) *http.Client {
	authority, err := os.ReadFile(*ca)
	if err != nil {
		fail(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: pool},
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1
		MaxIdleConnsPerHost: connections + 8,
		DisableCompression:  true,
		ReadBufferSize:      64 << 10,
	}}
}

// open makes the connections, so that their handshakes are not measured.
func open(client *http.Client, connections int) {
	var all sync.WaitGroup
	for range connections {
		all.Go(func() { _, _ = send(client, "GET", "/version", "", nil) })
	}
	all.Wait()
}

func wait() {
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// send returns how many bytes the answer has, and an error unless it is a success.
func send(client *http.Client, method, path, media string, body []byte) (int, error) {
	request, err := http.NewRequest(method, *server+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+*token)
	request.Header.Set("Accept", "application/json")
	if media != "" {
		request.Header.Set("Content-Type", media)
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		said, _ := io.ReadAll(answer.Body)
		return len(said), fmt.Errorf("%s %s: %d %.300s", method, path, answer.StatusCode, said)
	}
	size, err := io.Copy(io.Discard, answer.Body)
	return int(size), err
}

func collection() string { return "/api/v1/namespaces/" + *namespace + "/" + *kind }

func name(number int) string { return fmt.Sprintf("%s-%06d", *prefix, number) }

func object(number int) []byte {
	if *kind == "configmaps" {
		return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,`+
			`"labels":{"app":"load"}},"data":{"sent":"%d","value":%q}}`,
			name(number), time.Now().UnixNano(), strings.Repeat("v", 200))
	}
	image := "mizzen.dev/python"
	if *distinct {
		image += "-" + name(number)
	}
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"labels":{"app":`+
		`"load"}},"spec":{"containers":[{"name":"main","image":%q,"command":["sleep",`+
		`"3600"],"env":[{"name":"A","value":"b"}],"resources":{"requests":{"cpu":"100m","memory":`+
		`"64Mi"}}}]}}`, name(number), image)
}

func request(client *http.Client, number int) (int, error) {
	one := collection() + "/" + name(number%*objects)
	now := time.Now().UnixNano()
	switch *action {
	case "create":
		return send(client, "POST", collection(), "application/json", object(number))
	case "get":
		return send(client, "GET", one, "", nil)
	case "list":
		return send(client, "GET", collection(), "", nil)
	case "delete":
		return send(client, "DELETE", one, "application/json", []byte(`{"gracePeriodSeconds":0}`))
	case "patch":
		body := fmt.Appendf(nil, `{"metadata":{"annotations":{"at":"%d"}}}`, now)
		return send(client, "PATCH", one, "application/merge-patch+json", body)
	case "apply":
		what := map[string]string{"pods": "Pod", "configmaps": "ConfigMap"}[*kind]
		body := fmt.Appendf(nil, `{"apiVersion":"v1","kind":%q,"metadata":{"name":%q,"annotations":`+
			`{"applied":"%d"}}}`, what, name(number%*objects), now)
		query := "?fieldManager=load&force=true"
		return send(client, "PATCH", one+query, "application/apply-patch+yaml", body)
	}
	fail(fmt.Errorf("-do %s is unknown", *action))
	return 0, nil
}

// requests sends count of them, concurrency at once, each as soon as one before is answered.
func requests(client *http.Client, one func(*http.Client, int) (int, error)) report {
	var next, failures, size atomic.Int64
	var first atomic.Value
	latencies := make([][]float64, *concurrency)
	began := time.Now()
	var all sync.WaitGroup
	for worker := range *concurrency {
		all.Go(func() {
			for {
				number := int(next.Add(1)) - 1
				if number >= *count {
					return
				}
				if *rate > 0 {
					time.Sleep(time.Until(began.Add(time.Duration(float64(number) / *rate * 1e9))))
				}
				sent := time.Now()
				got, err := one(client, number)
				if err != nil {
					failures.Add(1)
					first.CompareAndSwap(nil, err.Error())
				}
				size.Add(int64(got))
				latencies[worker] = append(latencies[worker], time.Since(sent).Seconds()*1e3)
			}
		})
	}
	all.Wait()
	found := summary(latencies, time.Since(began))
	found.Errors, found.Bytes = failures.Load(), size.Load()
	if said := first.Load(); said != nil {
		found.First = said.(string)
	}
	return found
}

// watch measures from the moment an object's creation is sent until a watcher has its event.
func watch(client *http.Client) report {
	*kind = "configmaps"
	latencies := make([][]float64, *watchers)
	var ready, all sync.WaitGroup
	for each := range *watchers {
		ready.Add(1)
		all.Go(func() { latencies[each] = follow(client, &ready) })
	}
	ready.Wait()
	open(client, *concurrency)
	wait()
	began := time.Now()
	*action = "create"
	created := requests(client, request)
	all.Wait()
	found := summary(latencies, time.Since(began))
	found.Errors, found.First = created.Errors, created.First
	if found.Count < *count**watchers && found.Errors == 0 {
		found.Errors = int64(*count**watchers - found.Count)
		found.First = "a stream ended before it had heard of all objects"
	}
	return found
}

// follow reads events to the last object and returns the latency of each. A server that ends the stream
// of a reader that lags is asked again, from the last event on, as informers do.
func follow(client *http.Client, ready *sync.WaitGroup) []float64 {
	latencies := make([]float64, 0, *count)
	revision := "0"
	for again := 0; again <= reconnectsMax && len(latencies) < *count; again++ {
		answer := stream(client, revision)
		if again == 0 {
			ready.Done()
		}
		latencies, revision = events(answer, latencies, revision)
		answer.Close()
	}
	return latencies
}

func stream(client *http.Client, revision string) io.ReadCloser {
	path := collection() + "?watch=1&labelSelector=app%3Dload&resourceVersion=" + revision
	request, _ := http.NewRequest("GET", *server+path, nil)
	request.Header.Set("Authorization", "Bearer "+*token)
	request.Header.Set("Accept", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		fail(err)
	}
	return answer.Body
}

func events(from io.Reader, latencies []float64, revision string) ([]float64, string) {
	mark, own := []byte(`"sent":"`), []byte(`"name":"`+*prefix+"-")
	version := []byte(`"resourceVersion":"`)
	lines := bufio.NewReaderSize(from, 64<<10)
	for len(latencies) < *count {
		line, err := lines.ReadSlice('\n')
		now := time.Now().UnixNano()
		if err != nil {
			break
		}
		if _, rest, ok := bytes.Cut(line, version); ok {
			revision = string(rest[:bytes.IndexByte(rest, '"')])
		}
		_, rest, ok := bytes.Cut(line, mark)
		if !ok || !bytes.Contains(line, own) {
			continue
		}
		sent, err := strconv.ParseInt(string(rest[:bytes.IndexByte(rest, '"')]), 10, 64)
		if err != nil {
			continue
		}
		latencies = append(latencies, float64(now-sent)/1e6)
	}
	return latencies, revision
}

func summary(latencies [][]float64, took time.Duration) report {
	all := slices.Concat(latencies...)
	slices.Sort(all)
	return report{
		Count: len(all), Seconds: took.Seconds(), P50: at(all, 0.5), P99: at(all, 0.99),
	}
}

func at(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func emit(found report) { _ = json.NewEncoder(os.Stdout).Encode(found) }

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
