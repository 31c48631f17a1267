// Command oracle says what upstream's own code makes of YAML texts and EncryptionConfiguration files.
// One JSON question a line on standard input, one answer a line on standard output; see refresh.py.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"sigs.k8s.io/yaml"
)

type question struct {
	Name string `json:"name"`
	Text []byte `json:"text"` // base64
	Mode string `json:"mode"` // yaml, yaml-strict, config, config-reload
}
type answer struct {
	Name  string  `json:"name"`
	Mode  string  `json:"mode"`
	JSON  *string `json:"json,omitempty"`
	Error *string `json:"error,omitempty"`
}

func ask(q question) (a answer) {
	a.Name, a.Mode = q.Name, q.Mode
	defer func() {
		if r := recover(); r != nil {
			s := fmt.Sprintf("PANIC %v", r)
			a.Error = &s
		}
	}()
	fail := func(err error) { s := err.Error(); a.Error = &s }
	switch q.Mode {
	case "yaml", "yaml-strict":
		f := yaml.YAMLToJSON
		if q.Mode == "yaml-strict" {
			f = yaml.YAMLToJSONStrict
		}
		out, err := f(q.Text)
		if err != nil {
			fail(err)
			return
		}
		s := string(out)
		a.JSON = &s
	default:
		dir, _ := os.MkdirTemp("", "oracle")
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "e.yaml")
		os.WriteFile(path, q.Text, 0o600)
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		_, err := encryptionconfig.LoadEncryptionConfig(ctx, path, q.Mode == "config-reload", "")
		if err != nil {
			s := strings.ReplaceAll(err.Error(), path, "FILE")
			a.Error = &s
			return
		}
	}
	return
}

func main() {
	utilfeature.DefaultMutableFeatureGate.Set(string(features.KMSv1) + "=true")
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<28)
	var qs []question
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			panic(err)
		}
		qs = append(qs, q)
	}
	as := make([]answer, len(qs))
	sem := make(chan struct{}, 64)
	var wg sync.WaitGroup
	for i := range qs {
		wg.Add(1)
		sem <- struct{}{}
		go func() { defer wg.Done(); as[i] = ask(qs[i]); <-sem }()
	}
	wg.Wait()
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, a := range as {
		out.Encode(a)
	}
}
