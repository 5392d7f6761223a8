// Renders or lints a Helm chart with Helm's own packages: chart lint DIR, chart render DIR NAME=VALUE...; a value is read as helm's --set does.
// Prints the manifests, one document for each file, after Kubernetes' own types have read them strictly: an unknown or misspelt field is an
// error. A kind that is not Kubernetes' own (ServiceMonitor) is passed over. Ends with status 1 when there is an error or, for lint, a warning.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"helm.sh/helm/v3/pkg/strvals"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

var decoder = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

func check(name, text string) {
	for _, document := range strings.Split("\n"+text, "\n---") {
		if strings.TrimSpace(document) == "" {
			continue
		}
		_, _, err := decoder.Decode([]byte(document), nil, nil)
		if err != nil && !runtime.IsNotRegisteredError(err) {
			fail(fmt.Errorf("%s: %w", name, err))
		}
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	what, folder := os.Args[1], os.Args[2]
	values := map[string]interface{}{}
	for _, set := range os.Args[3:] {
		fail(strvals.ParseInto(set, values))
	}
	if what == "lint" {
		bad := false
		for _, m := range lint.AllWithKubeVersion(folder, values, "default", nil).Messages {
			fmt.Println(m)
			bad = bad || m.Severity >= support.WarningSev
		}
		if bad {
			os.Exit(1)
		}
		return
	}
	chart, err := loader.Load(folder)
	fail(err)
	options := chartutil.ReleaseOptions{Name: "hooks", Namespace: "default", IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, options, chartutil.DefaultCapabilities)
	fail(err)
	files, err := engine.Render(chart, all)
	fail(err)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(files[name]) != "" {
			check(name, files[name])
			fmt.Printf("---\n# %s\n%s\n", name, files[name])
		}
	}
}
